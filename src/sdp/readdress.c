/* A session description that is passed on with our address in the place of the far side's: media of its first line goes
 * by us, untouched. Line by line, without understanding the rest. What would lead past us (ICE candidates, addresses of
 * RTCP) is left out, lines we have no port for are refused; 0.0.0.0 stays, for it holds. */
#include "base/mem.h"
#include "sdp/sdp_i.h"

static void put_conn(struct buf *out, struct sv host)
{
	buf_printf(out, "c=IN IP%d %.*s\r\n", sdp_host_kind(host) == 6 ? 6 : 4, SVF(host));
}

/* o=user id version IN IP4 address */
static void put_origin(struct buf *out, struct sv line, struct sv host)
{
	size_t i = 0, spaces = 0;
	while (i < line.n && spaces < 3)
		spaces += line.p[i++] == ' ';
	if (spaces < 3)
		return;
	buf_addv(out, sv_sub(line, 0, i));
	buf_printf(out, "IN IP%d %.*s\r\n", sdp_host_kind(host) == 6 ? 6 : 4, SVF(host));
}

/* m=kind port[/n] proto formats; true: it is the line that is ours now */
static bool put_media(struct buf *out, struct sv line, uint16_t port, bool is_taken)
{
	struct sv kind, rest, old;
	sv_split(line, ' ', &kind, &rest);
	sv_split(rest, ' ', &old, &rest);
	bool is_ours = !is_taken && sv_isi(kind, "m=audio") && !sv_is(old, "0");
	buf_printf(out, "%.*s %u %.*s\r\n", SVF(kind), is_ours ? port : 0u, SVF(rest));
	return is_ours;
}

static bool is_left_out(struct sv line)
{
	static const char *const starts[] = {
	    "a=candidate", "a=remote-candidates", "a=ice-", "a=end-of-candidates", "a=rtcp:"};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (sv_startsi(line, sv_of(starts[i])))
			return true;
	return false;
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
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n || is_left_out(line))
			continue;
		if (sv_startsi(line, SV("c=")) && !sv_isi(sv_trim(line), "c=IN IP4 0.0.0.0"))
			put_conn(out, host);
		else if (sv_startsi(line, SV("o=")))
			put_origin(out, line, host);
		else if (sv_startsi(line, SV("m=")))
			is_taken |= put_media(out, line, port, is_taken);
		else
			buf_printf(out, "%.*s\r\n", SVF(line));
	}
	return out->failed ? ST_NOMEM : ST_OK;
}
