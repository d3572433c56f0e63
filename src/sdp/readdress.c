/* A session description that is passed on with our address in the place of the far side's: media of its first line goes
 * by us, untouched. Line by line, without understanding the rest. What would lead past us (ICE candidates, addresses of
 * RTCP) is left out, lines we have no port for are refused; 0.0.0.0 and :: stay, for they hold.
 */
#include "base/mem.h"
#include "sdp/offer_i.h"

static void put_conn(struct buf *out, struct sv host)
{
	buf_printf(out, "c=IN IP%d %.*s\r\n", sdp_host_kind(host) == 6 ? 6 : 4, SVF(host));
}

/* o=user id version IN IP4 address */
static void put_origin(struct buf *out, struct sv value, struct sv host)
{
	struct sv user = sdp_word(&value), id = sdp_word(&value), version = sdp_word(&value);
	if (version.n)
		buf_printf(out, "o=%.*s %.*s %.*s IN IP%d %.*s\r\n", SVF(user), SVF(id), SVF(version),
		    sdp_host_kind(host) == 6 ? 6 : 4, SVF(host));
}

/* m=kind port[/n] proto formats; true: it is the line that is ours now */
static bool put_media(struct buf *out, struct sv value, uint16_t port, bool is_taken)
{
	struct sv kind = sdp_word(&value), old = sdp_word(&value);
	bool is_ours = !is_taken && sv_isi(kind, "audio") && !sv_is(old, "0");
	buf_printf(out, "m=%.*s %u %.*s\r\n", SVF(kind), is_ours ? port : 0u, SVF(sv_trim(value)));
	return is_ours;
}

static bool is_left_out(struct sv attribute)
{
	static const char *const starts[] = {
	    "candidate", "remote-candidates", "ice-", "end-of-candidates", "rtcp:", "rtcp-mux"};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (sv_startsi(attribute, sv_of(starts[i])))
			return true;
	return false;
}

bool sdp_is_nowhere(struct sv host)
{
	int kind = sdp_host_kind(host);
	for (size_t i = 0; kind == 6 && i < host.n; i++)
		if (host.p[i] != '0' && host.p[i] != ':')
			return false;
	return kind == 6 || sv_is(host, "0.0.0.0");
}

/* Of "IN IP4 address" */
static struct sv host_of(struct sv conn)
{
	(void)sdp_word(&conn), (void)sdp_word(&conn);
	return sdp_word(&conn);
}

/* The line as sdp_parse reads it, so that nothing is one thing here and another there. */
static void put_line(struct buf *out, char letter, struct sv value, struct sv host)
{
	if (letter == 'c' && !sdp_is_nowhere(host_of(value)))
		put_conn(out, host);
	else if (letter == 'o')
		put_origin(out, value, host);
	else if (letter != 'a' || !is_left_out(value))
		buf_printf(out, "%c=%.*s\r\n", letter, SVF(value.n ? value : SV(" ")));
}

int sdp_readdress(struct sv text, struct sv host, uint16_t port, struct buf *out)
{
	bool is_taken = false;
	struct sdp *s;
	int st = sdp_parse_new(text, &s);
	if (st)
		return st;
	mem_free(s);
	while (text.n) {
		struct sv line;
		sv_split(text, '\n', &line, &text);
		line = sv_trim(line);
		if (!line.n)
			continue;
		struct sv value = sv_trim(sv_sub(line, 2, line.n));
		if (line.p[0] == 'm')
			is_taken |= put_media(out, value, port, is_taken);
		else
			put_line(out, line.p[0], value, host);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

/* ---- as many lines as there were ---- */

static void put_closed(struct buf *out, const struct sdp *s, size_t line)
{
	const struct sdp_media *m = &s->media[line];
	sdp_put_refused(out, m->kind, m->proto, m->format_count ? s->formats[m->format_first].text : SV_NONE);
}

int sdp_lines_keep(struct sv text, const struct sv *before, size_t count, struct buf *out)
{
	struct sdp *s;
	int st = sdp_parse_new(text, &s);
	size_t lines = st ? SDP_MEDIA_MAX : s->media_count;

	if (!st)
		mem_free(s);
	if (st == ST_NOMEM || (st = buf_addv(out, text)))
		return st;
	for (size_t i = 0; i < count && lines < SDP_MEDIA_MAX; i++) {
		if (!before[i].n || sdp_parse_new(before[i], &s))
			continue;
		if (lines < s->media_count && out->p[out->n - 1] != '\n')
			buf_adds(out, "\r\n");
		for (; lines < s->media_count; lines++)
			put_closed(out, s, lines);
		mem_free(s);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

/* Where our line of sound will stand: its place is known, what it says is not yet. */
static void audio_place(struct sdp_running *r, const struct sdp *s)
{
	size_t at = s->media_count;
	for (size_t i = s->media_count; i-- > 0;) /* the first that is open, else the first */
		if (sv_isi(s->media[i].kind, "audio") &&
		    (s->media[i].port || at == s->media_count || !s->media[at].port))
			at = i;
	if (at == s->media_count || at >= r->line_count)
		return;
	r->line = (uint8_t)at;
	r->lines[at].proto[0] = 0;
}

void sdp_running_passed(struct sdp_running *r, struct sv text)
{
	bool is_first = !r->line_count;
	struct sdp *s;

	if (!text.n || sdp_parse_new(text, &s))
		return;
	for (size_t i = r->line_count; i < s->media_count && i < SDP_RUN_LINES; i++, r->line_count++) {
		struct sdp_run_line *l = &r->lines[i];
		*l = (struct sdp_run_line){.is_open = false};
		sdp_copy(l->kind, sizeof(l->kind), s->media[i].kind);
		sdp_copy(l->proto, sizeof(l->proto), s->media[i].proto);
	}
	if (is_first)
		audio_place(r, s);
	mem_free(s);
}
