/* The parser and writer of session descriptions. One pass over the lines: views go into bounded arrays, m= lines open a
 * media, a= lines are kept raw and the ones negotiation needs are read into fields. Formats get their names from
 * a=rtpmap or from RFC 3551's table. Nothing is copied and nothing is judged here beyond form. */
#include "sdp/sdp.h"
#include "base/mem.h"
#include "sdp/sdp_i.h"
#include <arpa/inet.h>
#include <string.h>

void sdp_copy(char *out, size_t cap, struct sv v)
{
	size_t n = v.n < cap - 1 ? v.n : cap - 1;
	if (n)
		memcpy(out, v.p, n);
	out[n] = 0;
}
struct sv sdp_word(struct sv *rest)
{
	size_t from = 0, to;
	struct sv w;
	while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
		from++;
	for (to = from; to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t'; to++)
		;
	w = sv_sub(*rest, from, to - from);
	*rest = sv_sub(*rest, to, rest->n);
	return w;
}

static const char *const dir_names[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
const char *sdp_dir_name(enum sdp_dir d)
{
	return dir_names[d & 3];
}
enum sdp_dir sdp_dir_mirror(enum sdp_dir d)
{
	return (enum sdp_dir)(((d & 1) << 1) | ((d >> 1) & 1));
}

int sdp_host_kind(struct sv host)
{
	char text[SDP_HOST_MAX];
	unsigned char bytes[16];
	if (!host.n || host.n >= sizeof(text))
		return 0;
	sdp_copy(text, sizeof(text), host);
	return inet_pton(AF_INET, text, bytes) == 1 ? 4 : inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

static int parse_origin(struct sdp *s, struct sv v)
{
	s->origin = v;
	s->origin_user = sdp_word(&v);
	s->origin_id = sdp_word(&v);
	s->origin_version = sdp_word(&v);
	sdp_word(&v);
	sdp_word(&v);
	s->origin_host = sdp_word(&v);
	return ST_OK;
}
static int parse_conn(struct sdp_conn *c, struct sv v)
{
	struct sv net = sdp_word(&v), type = sdp_word(&v), host = sdp_word(&v), ttl;
	if (c->host.n) /* several addresses of a multicast session: the first counts */
		return ST_OK;
	sv_split(host, '/', &host, &ttl);
	if (!sv_isi(net, "IN") || !host.n)
		return ST_PARSE;
	c->host = host;
	c->is_ip6 = sv_isi(type, "IP6");
	return ST_OK;
}
static int port_of(struct sv v, uint16_t *out)
{
	uint32_t n;
	if (sv_u32(v, &n) || n > 65535)
		return ST_PARSE;
	*out = (uint16_t)n;
	return ST_OK;
}
static void add_format(struct sdp *s, struct sdp_media *m, struct sv text)
{
	const struct sdp_known *k;
	struct sdp_format *f;
	uint32_t pt;

	if (m->format_count == SDP_FORMATS_MAX || s->format_count == SDP_FORMATS_TOTAL) {
		s->is_cut = true;
		return;
	}
	f = &s->formats[s->format_count++];
	m->format_count++;
	*f = (struct sdp_format){.text = text, .pt = -1, .channels = 1};
	if (!sv_startsi(m->proto, SV("RTP/")) && !sv_startsi(m->proto, SV("UDP/TLS/RTP/")))
		return;
	if (sv_u32(text, &pt) || pt > 127)
		return;
	f->pt = (int16_t)pt;
	if ((k = sdp_known_of_pt(f->pt))) {
		f->name = sv_of(k->name);
		f->clock_hz = k->clock_hz;
		f->channels = k->channels;
	}
}
static int parse_media(struct sdp *s, struct sv v)
{
	struct sdp_media *m;
	struct sv port, count, word;

	if (s->media_count == SDP_MEDIA_MAX)
		return ST_PARSE;
	m = &s->media[s->media_count];
	*m = (struct sdp_media){.format_first = (uint16_t)s->format_count, .dir = s->dir, .has_ice = s->has_ice};
	m->kind = sdp_word(&v);
	sv_split(sdp_word(&v), '/', &port, &count);
	m->proto = sdp_word(&v);
	if (!m->kind.n || !m->proto.n || port_of(port, &m->port))
		return ST_PARSE;
	while ((word = sdp_word(&v)).n)
		add_format(s, m, word);
	s->media_count++;
	return ST_OK;
}
/* The format an "a=rtpmap:<pt> ..." or "a=fmtp:<fmt> ..." speaks of; NULL = none such. */
static struct sdp_format *format_of(struct sdp *s, struct sdp_media *m, struct sv text)
{
	for (size_t i = m->format_first; i < m->format_first + (size_t)m->format_count; i++)
		if (sv_eq(s->formats[i].text, text))
			return &s->formats[i];
	return NULL;
}
static void attr_rtpmap(struct sdp *s, struct sdp_media *m, struct sv v)
{
	struct sdp_format *f = format_of(s, m, sdp_word(&v));
	struct sv name, clock, channels;
	uint32_t hz, n = 1;

	v = sv_trim(v);
	sv_split(v, '/', &name, &v);
	sv_split(v, '/', &clock, &channels);
	if (!f || !name.n || sv_u32(sv_trim(clock), &hz) || !hz ||
	    (channels.n && (sv_u32(sv_trim(channels), &n) || !n || n > 255)))
		return;
	f->name = name;
	f->clock_hz = hz;
	f->channels = (uint8_t)n;
}
static void attr_fmtp(struct sdp *s, struct sdp_media *m, struct sv v)
{
	struct sdp_format *f = format_of(s, m, sdp_word(&v));
	if (f && !f->fmtp.n)
		f->fmtp = sv_trim(v);
}
static void attr_rtcp(struct sdp_media *m, struct sv v)
{
	if (port_of(sdp_word(&v), &m->rtcp_port))
		return;
	sdp_word(&v);
	sdp_word(&v);
	m->rtcp_host = sdp_word(&v);
}
static uint16_t ms_of(struct sv v)
{
	uint32_t ms;
	struct sv whole, part;
	sv_split(sv_trim(v), '.', &whole, &part);
	return sv_u32(whole, &ms) || ms > 1000 ? 0 : (uint16_t)ms;
}
static void parse_attr(struct sdp *s, struct sv v)
{
	struct sdp_media *m = s->media_count ? &s->media[s->media_count - 1] : NULL;
	struct sdp_attr a = {.media = (int8_t)((int)s->media_count - 1)};

	sv_split(v, ':', &a.name, &a.value);
	if (s->attr_count < SDP_ATTRS_MAX)
		s->attrs[s->attr_count++] = a;
	else
		s->is_cut = true;
	a.name = sv_trim(a.name);
	for (int d = SDP_INACTIVE; d <= SDP_SENDRECV; d++) {
		if (!sv_isi(a.name, dir_names[d]))
			continue;
		if (m)
			m->dir = (enum sdp_dir)d;
		else
			s->dir = (enum sdp_dir)d;
		return;
	}
	if (sv_isi(a.name, "ice-ufrag")) {
		if (m)
			m->has_ice = true;
		else
			s->has_ice = true;
	}
	if (!m)
		return;
	if (sv_isi(a.name, "rtpmap"))
		attr_rtpmap(s, m, a.value);
	else if (sv_isi(a.name, "fmtp"))
		attr_fmtp(s, m, a.value);
	else if (sv_isi(a.name, "ptime"))
		m->ptime_ms = ms_of(a.value);
	else if (sv_isi(a.name, "maxptime"))
		m->maxptime_ms = ms_of(a.value);
	else if (sv_isi(a.name, "rtcp"))
		attr_rtcp(m, a.value);
	else if (sv_isi(a.name, "rtcp-mux"))
		m->is_rtcp_mux = true;
}
static void parse_bandwidth(struct sdp *s, struct sv v)
{
	struct sv kind, kbit;
	uint32_t n;
	sv_split(v, ':', &kind, &kbit);
	if (s->media_count && sv_isi(kind, "AS") && !sv_u32(sv_trim(kbit), &n))
		s->media[s->media_count - 1].bandwidth_as_kbit = n;
}
static int parse_line(struct sdp *s, char letter, struct sv v)
{
	struct sdp_media *m = s->media_count ? &s->media[s->media_count - 1] : NULL;
	switch (letter) {
	case 'o':
		return s->origin.n || m ? ST_OK : parse_origin(s, v);
	case 's':
		if (!m)
			s->name = v;
		return ST_OK;
	case 'c':
		return parse_conn(m ? &m->conn : &s->conn, v);
	case 'b':
		parse_bandwidth(s, v);
		return ST_OK;
	case 'm':
		return parse_media(s, v);
	case 'a':
		parse_attr(s, v);
		return ST_OK;
	default: /* i u e p t r z k: nothing a call needs; unknown letters are passed over (RFC 8866 section 5) */
		return ST_OK;
	}
}

/* Parts of lines are echoed in answers: a carriage return or the like in the middle must not get that far. */
static bool has_control(struct sv line)
{
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 127)
			return true;
	return false;
}

int sdp_parse(struct sv text, struct sdp *out)
{
	bool is_first = true;
	int st;

	if (text.n > SDP_TEXT_MAX || (text.n && memchr(text.p, 0, text.n)))
		return ST_PARSE;
	memset(out, 0, offsetof(struct sdp, media));
	out->dir = SDP_SENDRECV;
	while (text.n) {
		struct sv line;
		sv_split(text, '\n', &line, &text);
		line = sv_trim(line);
		if (!line.n)
			continue;
		if (line.n < 2 || line.p[0] < 'a' || line.p[0] > 'z' || line.p[1] != '=' || has_control(line))
			return ST_PARSE;
		if (is_first && !sv_is(line, "v=0"))
			return ST_PARSE;
		is_first = false;
		if ((st = parse_line(out, line.p[0], sv_trim(sv_sub(line, 2, line.n)))))
			return st;
	}
	if (is_first)
		return ST_PARSE;
	for (size_t i = 0; i < out->media_count; i++)
		if (!out->media[i].conn.host.n)
			out->media[i].conn = out->conn;
	return ST_OK;
}
int sdp_parse_new(struct sv text, struct sdp **out)
{
	struct sdp *s = mem_alloc(sizeof(*s));
	int st;
	if (!s)
		return ST_NOMEM;
	if ((st = sdp_parse(text, s))) {
		mem_free(s);
		return st;
	}
	*out = s;
	return ST_OK;
}
bool sdp_attr_get(const struct sdp *s, int media, const char *name, struct sv *value)
{
	for (size_t i = 0; i < s->attr_count; i++) {
		if (s->attrs[i].media != media || !sv_isi(s->attrs[i].name, name))
			continue;
		*value = s->attrs[i].value;
		return true;
	}
	return false;
}

static void write_conn(struct buf *b, const struct sdp_conn *c)
{
	if (c->host.n)
		buf_printf(b, "c=IN %s %.*s\r\n", c->is_ip6 ? "IP6" : "IP4", SVF(c->host));
}
static void write_attrs(const struct sdp *s, int media, struct buf *b)
{
	for (size_t i = 0; i < s->attr_count; i++)
		if (s->attrs[i].media == media)
			buf_printf(b, "a=%.*s%s%.*s\r\n", SVF(s->attrs[i].name), s->attrs[i].value.n ? ":" : "",
			    SVF(s->attrs[i].value));
}
int sdp_write(const struct sdp *s, struct buf *out)
{
	buf_printf(out, "v=0\r\no=%.*s\r\ns=%.*s\r\n", SVF(s->origin), SVF(s->name.n ? s->name : SV("-")));
	write_conn(out, &s->conn);
	buf_adds(out, "t=0 0\r\n");
	write_attrs(s, -1, out);
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *m = &s->media[i];
		buf_printf(out, "m=%.*s %u %.*s", SVF(m->kind), m->port, SVF(m->proto));
		for (unsigned f = 0; f < m->format_count; f++)
			buf_printf(out, " %.*s", SVF(s->formats[m->format_first + f].text));
		buf_adds(out, "\r\n");
		if (m->conn.host.p != s->conn.host.p)
			write_conn(out, &m->conn);
		if (m->bandwidth_as_kbit)
			buf_printf(out, "b=AS:%u\r\n", m->bandwidth_as_kbit);
		write_attrs(s, (int)i, out);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}
