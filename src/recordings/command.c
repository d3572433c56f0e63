/* The command recordings. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/registry/api.h"
#include "recordings/recordings_i.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct sv word(struct sv *rest)
{
	struct sv w;
	*rest = sv_trim(*rest);
	sv_split(*rest, ' ', &w, rest);
	*rest = sv_trim(*rest);
	return w;
}

/* "2026-11-27", "2026-11-27T08:30" (local time), or seconds since 1970. */
static bool moment_parse(struct sv text, int64_t *out)
{
	struct tm tm = {.tm_isdst = -1};
	char copy[32];
	if (!sv_i64(text, out))
		return true;
	snprintf(copy, sizeof(copy), "%.*s", SVF(text));
	const char *end = strptime(copy, "%Y-%m-%d", &tm);
	if (end && *end == 'T')
		end =
		    strptime(end, strchr(end, ':') && strchr(strchr(end, ':') + 1, ':') ? "T%H:%M:%S" : "T%H:%M", &tm);
	if (!end || *end)
		return false;
	*out = mktime(&tm);
	return true;
}

static bool criterion(struct sv w, struct rec_query *q)
{
	struct sv name, value;
	if (sv_isi(w, "json"))
		return q->is_json = true;
	if (!sv_split(w, '=', &name, &value))
		return false;
	if (sv_isi(name, "from"))
		return moment_parse(value, &q->from_s);
	if (sv_isi(name, "to"))
		return moment_parse(value, &q->to_s);
	if (sv_isi(name, "limit"))
		return !sv_u32(value, &q->limit) && q->limit && q->limit <= REC_ROWS_MAX;
	if (sv_isi(name, "offset"))
		return !sv_u32(value, &q->offset);
	struct sv *field = sv_isi(name, "number")  ? &q->number
	                   : sv_isi(name, "queue") ? &q->queue
	                   : sv_isi(name, "uuid")  ? &q->uuid
	                                           : NULL;
	if (field)
		*field = value;
	return field != NULL;
}

static CO int search(struct sv rest, struct buf *out)
{
	struct rec_query q = {.limit = 50};
	while (rest.n) {
		struct sv w = word(&rest);
		if (!criterion(w, &q)) {
			buf_printf(out,
			    "-ERR \"%.*s\": from=, to= (2026-11-27, 2026-11-27T08:30), number=, queue=, uuid=, limit= "
			    "(1 to %d), offset=, json\n",
			    SVF(w), REC_ROWS_MAX);
			return ST_OK;
		}
	}
	int st = rec_search(&q, out);
	if (st == ST_NOTFOUND)
		buf_adds(out, "-ERR there is no index: its database could not be opened\n");
	return ST_OK;
}

static CO void status(struct buf *out)
{
	uint64_t indexed, removed;
	rec_counts(&indexed, &removed);
	buf_printf(out, "directory: %s\n", rec_conf.dir);
	if (rec_status(out))
		buf_adds(out, "-ERR the index does not answer\n");
	buf_printf(out, "indexed since the start: %" PRIu64 ", deleted: %" PRIu64 ", to be converted: %zu\n", indexed,
	    removed, rec_convert_waiting());
	buf_printf(out, "keep-days: %u, max-size: %" PRIu64 " bytes, convert: %s\n", (unsigned)rec_conf.keep_days,
	    rec_conf.max_bytes, rec_conf.convert_ext ? rec_conf.convert_ext : "no");
}

static CO void delete_one(struct sv rest, struct buf *out)
{
	char path[REC_PATH_MAX];
	int n = rest.n && *rest.p == '/' ? snprintf(path, sizeof(path), "%.*s", SVF(rest))
	                                 : snprintf(path, sizeof(path), "%s/%.*s", rec_conf.dir, SVF(rest));
	if (!rest.n || n < 0 || (size_t)n >= sizeof(path) || !rec_below(path) || !rec_is_known(path)) {
		buf_printf(out, "-ERR no recording \"%.*s\" in the index\n", SVF(rest));
		return;
	}
	rec_remove(path, "command");
	buf_adds(out, "+OK\n");
}

int api_recordings(struct api_call *c)
{
	role_assert_co();
	char *args = mem_strdup(c->args);
	struct sv rest = sv_of(args ? args : ""), verb = word(&rest);
	if (sv_isi(verb, "search"))
		(void)search(rest, c->out);
	else if (sv_isi(verb, "status"))
		status(c->out);
	else if (sv_isi(verb, "delete"))
		delete_one(rest, c->out);
	else if (sv_isi(verb, "clean"))
		rec_keep_now(), buf_adds(c->out, "+OK\n");
	else
		buf_adds(c->out, "-USAGE: search [from=] [to=] [number=] [queue=] [uuid=] [limit=] [offset=] [json] | "
		                 "delete <path> | clean | status\n");
	mem_free(args);
	return ST_OK;
}
