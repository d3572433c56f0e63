/* One call's messages, found in the ring and shown. A key is the uuid of a leg or a Call-ID; notes say which dialogs a
 * leg has and for whom it was called, so that all of a call is found from any of its ends, in a few walks over the
 * ring. As text: a column for each party, ourselves among them, an arrow for each message. As JSON: the same with the
 * texts, of which those who may not see them get no credentials and no keys. */
#include "base/clock.h"
#include "base/mem.h"
#include "text/json.h"
#include "trace/trace_i.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MESSAGES_MAX = 1000, PARTIES_MAX = 12, WIDTH = 26, TIME_WIDTH = 13 };

struct keys {
	struct sv v[TRACE_KEYS_MAX]; /* views into the ring or the caller's */
	size_t count;
};
struct ladder {
	struct keys keys, call_ids;
	const struct trace_rec *recs[MESSAGES_MAX];
	size_t count;
	bool has_more, has_messages[TRACE_KEYS_MAX];  /* by Call-ID */
	char parties[PARTIES_MAX][ADDR_TEXT_MAX + 8]; /* the second is ourselves */
	size_t party_count;
};

static bool keys_have(const struct keys *k, struct sv v)
{
	for (size_t i = 0; i < k->count; i++)
		if (sv_eq(k->v[i], v))
			return true;
	return false;
}

static bool keys_add(struct keys *k, struct sv v)
{
	if (!v.n || k->count == TRACE_KEYS_MAX || keys_have(k, v))
		return false;
	k->v[k->count++] = v;
	return true;
}

/* ---- search ---- */

static void note_parts(const struct trace_rec *r, struct sv *call_id, struct sv *uuid, struct sv *other)
{
	const char *p = (const char *)(r + 1);
	*call_id = sv_of(p);
	*uuid = sv_of(p + call_id->n + 1);
	*other = sv_of(uuid->p + uuid->n + 1);
}

/* True: something was learned, so that another walk may find more. */
static ON_CTL bool notes_walk(struct ladder *l)
{
	struct sv call_id, uuid, other;
	bool is_more = false;
	for (const struct trace_rec *r = ring_next(NULL); r; r = ring_next(r)) {
		if (r->kind != TRACE_NOTE)
			continue;
		note_parts(r, &call_id, &uuid, &other);
		if (!keys_have(&l->keys, call_id) && !keys_have(&l->keys, uuid) && !keys_have(&l->keys, other))
			continue;
		is_more |= keys_add(&l->keys, uuid);
		is_more |= keys_add(&l->keys, other);
		is_more |= keys_add(&l->keys, call_id);
		keys_add(&l->call_ids, call_id);
	}
	return is_more;
}

static size_t party_of(struct ladder *l, const struct addr *a, enum sip_transport t)
{
	char text[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 8];
	size_t i;
	snprintf(name, sizeof(name), "%s/%s", addr_text(a, text), sip_transport_facts(t)->param);
	for (i = 0; i < l->party_count; i++)
		if (!strcmp(l->parties[i], name))
			return i;
	if (i == PARTIES_MAX)
		return PARTIES_MAX - 1;
	snprintf(l->parties[i], sizeof(l->parties[i]), "%s", name);
	if (++l->party_count == 1)
		snprintf(l->parties[l->party_count++], sizeof(l->parties[0]), "Tandem");
	return i;
}

static ON_CTL int ladder_find(struct ladder *l, const struct sv *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		keys_add(&l->keys, keys[i]);
	for (int i = 0; i < TRACE_KEYS_MAX && notes_walk(l); i++)
		;
	for (size_t i = 0; i < count; i++) /* a Call-ID of which nothing was noted: a registration */
		keys_add(&l->call_ids, keys[i]);
	uint32_t hashes[TRACE_KEYS_MAX];
	for (size_t i = 0; i < l->call_ids.count; i++)
		hashes[i] = trace_key(l->call_ids.v[i]);
	for (const struct trace_rec *r = ring_next(NULL); r; r = ring_next(r)) {
		bool fits = false;
		for (size_t i = 0; r->kind == TRACE_MESSAGE && i < l->call_ids.count && !fits; i++)
			if (r->key == hashes[i] && sv_eq(trace_call_id(trace_rec_data(r)), l->call_ids.v[i]))
				fits = l->has_messages[i] = true;
		if (fits && l->count == MESSAGES_MAX)
			l->has_more = true;
		else if (fits)
			l->recs[l->count++] = r;
	}
	for (size_t i = 0; i < l->count; i++)
		party_of(l, &l->recs[i]->remote, (enum sip_transport)l->recs[i]->transport);
	return l->count ? ST_OK : ST_NOTFOUND;
}

/* ---- what a message is ---- */

static struct sv header(struct sv data, const char *name)
{
	struct sv rest = data, line, n, v;
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		if (!sv_trim(line).n)
			break;
		if (sv_split(line, ':', &n, &v) && sv_isi(sv_trim(n), name))
			return sv_trim(v);
	}
	return SV_NONE;
}

/* "INVITE (sdp)", "180 Ringing (INVITE)"; printable whatever came. */
static void summary(struct sv data, char *out, size_t max)
{
	struct sv line, rest, a, b, cseq, method;
	sv_split(data, '\n', &line, &rest);
	line = sv_trim(line);
	bool has_sdp = memmem(data.p, data.n, "\nm=audio", 8) || memmem(data.p, data.n, "\nm=image", 8);
	if (sv_starts(line, SV("SIP/2.0 "))) {
		cseq = header(data, "CSeq");
		sv_split(cseq, ' ', &a, &method);
		line = sv_sub(line, 8, 24);
		snprintf(out, max, "%.*s (%.*s)%s", SVF(line), (int)(method.n < 12 ? method.n : 12),
		    method.p ? method.p : "", has_sdp ? " sdp" : "");
	} else {
		sv_split(line, ' ', &a, &b);
		snprintf(out, max, "%.*s%s", (int)(a.n < 20 ? a.n : 20), a.p ? a.p : "", has_sdp ? " (sdp)" : "");
	}
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
}

static void clock_put(char out[16], int64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	localtime_r(&s, &tm);
	snprintf(out, 16, "%02u:%02u:%02u.%03u", (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
	    (unsigned)tm.tm_sec % 100, (unsigned)(wall_us / 1000 % 1000));
}

/* ---- as text ---- */

static void arrow_put(struct buf *out, const struct ladder *l, const struct trace_rec *r, size_t party)
{
	char line[PARTIES_MAX * WIDTH + 1], label[64], when[16];
	size_t us = 1, from = r->is_outgoing ? us : party, to = r->is_outgoing ? party : us;
	size_t low = from < to ? from : to, high = from < to ? to : from, width = l->party_count * WIDTH;
	memset(line, ' ', width);
	for (size_t i = 0; i < l->party_count; i++)
		line[i * WIDTH + WIDTH / 2] = '|';
	size_t a = low * WIDTH + WIDTH / 2 + 1, b = high * WIDTH + WIDTH / 2;
	memset(line + a, '-', b - a);
	line[from < to ? b - 1 : a] = from < to ? '>' : '<';
	summary(trace_rec_data(r), label, sizeof(label));
	size_t n = strlen(label), room = WIDTH - 5;
	/* beside whom it is not ours */
	size_t at = from < to ? (party == low ? a + 1 : b - WIDTH + 3) : (party == low ? a + 2 : b - WIDTH + 4);
	memcpy(line + at, label, n < room ? n : room);
	line[width] = 0;
	clock_put(when, r->wall_us);
	buf_printf(out, "%-*s%s\n", TIME_WIDTH, when, line);
}

int trace_ladder_text(struct buf *out, const struct sv *keys, size_t count)
{
	struct ladder *l = mem_zalloc(sizeof(*l));
	int st = l ? ladder_find(l, keys, count) : ST_NOMEM;
	if (!st) {
		for (size_t i = 0; i < l->call_ids.count; i++)
			if (l->has_messages[i])
				buf_printf(out, "Call-ID: %.*s\n", SVF(l->call_ids.v[i]));
		buf_printf(out, "%-*s", TIME_WIDTH, "");
		for (size_t i = 0; i < l->party_count; i++) {
			int n = (int)strlen(l->parties[i]), left = n < WIDTH ? (WIDTH - n) / 2 : 0;
			buf_printf(out, "%*s%-*.*s", left, "", WIDTH - left, WIDTH - left, l->parties[i]);
		}
		buf_addc(out, '\n');
		for (size_t i = 0; i < l->count; i++)
			arrow_put(out, l, l->recs[i],
			    party_of(l, &l->recs[i]->remote, (enum sip_transport)l->recs[i]->transport));
		if (l->has_more)
			buf_adds(out, "... more than can be shown\n");
	}
	mem_free(l);
	return st;
}

int trace_ladder_each(struct trace_calls *calls, const struct sv *keys, size_t count,
    void (*fn)(const struct trace_msg *m, void *arg), void *arg)
{
	struct ladder *l = mem_zalloc(sizeof(*l));
	int st = l ? ladder_find(l, keys, count) : ST_NOMEM;
	for (size_t i = 0; !st && i < l->call_ids.count; i++)
		if (l->has_messages[i])
			trace_calls_id_add(calls, l->call_ids.v[i]);
	for (size_t i = 0; !st && i < l->count; i++) {
		const struct trace_rec *r = l->recs[i];
		struct trace_msg m = {.is_outgoing = r->is_outgoing,
		    .transport = (enum sip_transport)r->transport,
		    .local = r->local,
		    .remote = r->remote,
		    .data = trace_rec_data(r),
		    .wall_us = r->wall_us};
		fn(&m, arg);
	}
	mem_free(l);
	return st;
}

/* ---- as JSON ---- */

static bool line_is_secret(struct sv line)
{
	struct sv name, value;
	if (sv_split(line, ':', &name, &value) &&
	    (sv_isi(sv_trim(name), "Authorization") || sv_isi(sv_trim(name), "Proxy-Authorization")))
		return true;
	return sv_startsi(line, SV("a=crypto:")) || sv_startsi(line, SV("k=")) || sv_startsi(line, SV("a=ice-pwd:"));
}

void trace_masked_put(struct buf *out, struct sv message)
{
	struct sv rest = message, line;
	struct sv ctype = header(message, "Content-Type");
	bool is_sdp = !ctype.n || sv_startsi(ctype, SV("application/sdp"));
	bool is_folded_secret = false, is_body = false;
	if (!ctype.n)
		ctype = header(message, "c");
	is_sdp = !ctype.n || sv_startsi(ctype, SV("application/sdp"));
	while (rest.n) {
		bool has_end = sv_split(rest, '\n', &line, &rest);
		bool is_fold = !is_body && line.n && (line.p[0] == ' ' || line.p[0] == '\t');
		if (!is_body && !sv_trim(line).n) {
			is_body = true;
		} else if (is_body && !is_sdp) {
			buf_adds(out, "(left out)");
			return;
		} else if (is_fold ? is_folded_secret : line_is_secret(line)) {
			is_folded_secret = true;
			if (!is_fold)
				buf_printf(out, "%.*s: (left out)\r\n", (int)sv_find(line, ':'), line.p);
			continue;
		} else {
			is_folded_secret = false;
		}
		buf_addv(out, line);
		if (has_end)
			buf_addc(out, '\n');
	}
}

static ON_CTL void message_json(struct json_writer *w, struct ladder *l, const struct trace_rec *r, bool hides_secrets)
{
	char text[ADDR_TEXT_MAX], label[64];
	struct buf masked;
	struct sv data = trace_rec_data(r);
	buf_init(&masked);
	summary(data, label, sizeof(label));
	jw_begin_object(w);
	jw_kv_int(w, "time_us", r->wall_us);
	jw_kv_str(w, "direction", r->is_outgoing ? "out" : "in");
	jw_kv_str(w, "transport", sip_transport_facts((enum sip_transport)r->transport)->param);
	jw_kv_str(w, "from", addr_text(r->is_outgoing ? &r->local : &r->remote, text));
	jw_kv_str(w, "to", addr_text(r->is_outgoing ? &r->remote : &r->local, text));
	jw_kv_int(w, "party", (int64_t)party_of(l, &r->remote, (enum sip_transport)r->transport));
	jw_key(w, "call_id");
	jw_sv(w, trace_call_id(data));
	jw_key(w, "cseq");
	jw_sv(w, header(data, "CSeq"));
	jw_kv_str(w, "summary", label);
	if (hides_secrets)
		trace_masked_put(&masked, data);
	jw_key(w, "text");
	jw_sv(w, hides_secrets ? buf_sv(&masked) : data);
	if (r->is_cut)
		jw_kv_bool(w, "is_cut", true);
	jw_end_object(w);
	buf_fini(&masked);
}

int trace_ladder_json(struct buf *out, const struct sv *keys, size_t count, bool hides_secrets)
{
	struct ladder *l = mem_zalloc(sizeof(*l));
	struct json_writer w;
	int st = l ? ladder_find(l, keys, count) : ST_NOMEM;
	if (!st) {
		jw_init(&w, out, false);
		jw_begin_object(&w);
		jw_key(&w, "call_ids");
		jw_begin_array(&w);
		for (size_t i = 0; i < l->call_ids.count; i++)
			if (l->has_messages[i])
				jw_sv(&w, l->call_ids.v[i]);
		jw_end_array(&w);
		jw_key(&w, "parties");
		jw_begin_array(&w);
		for (size_t i = 0; i < l->party_count; i++)
			jw_str(&w, l->parties[i]);
		jw_end_array(&w);
		jw_kv_bool(&w, "has_more", l->has_more);
		jw_kv_bool(&w, "hides_secrets", hides_secrets);
		jw_key(&w, "messages");
		jw_begin_array(&w);
		for (size_t i = 0; i < l->count; i++)
			message_json(&w, l, l->recs[i], hides_secrets);
		jw_end_array(&w);
		jw_end_object(&w);
	}
	mem_free(l);
	return st;
}
