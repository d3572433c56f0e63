/* Codecs by name: the table of RFC 3551's static types and the names FreeSWITCH's codec strings use; codec strings
 * parsed and written; whether two codecs are the same on the wire. Samples are nobody's business here. */
#include "base/check.h"
#include "sdp/sdp_i.h"
#include <string.h>

static const struct sdp_known known[] = {
    {"PCMU", 0, 8000, 8000, 1, 20, "", false},
    {"PCMA", 8, 8000, 8000, 1, 20, "", false},
    {"G722", 9, 8000, 16000, 1, 20, "", false},
    {"opus", 102, 48000, 48000, 2, 20, "useinbandfec=1; minptime=10", false},
    {"GSM", 3, 8000, 8000, 1, 20, "", false},
    {"G723", 4, 8000, 8000, 1, 30, "", false},
    {"DVI4", 5, 8000, 8000, 1, 20, "", false},
    {"DVI4", 6, 16000, 16000, 1, 20, "", false},
    {"LPC", 7, 8000, 8000, 1, 90, "", false},
    {"L16", -1, 8000, 8000, 1, 20, "", false},
    {"L16", -1, 16000, 16000, 1, 20, "", false},
    {"L16", 11, 44100, 44100, 1, 20, "", false},
    {"L16", 10, 44100, 44100, 2, 20, "", false},
    {"L16", -1, 48000, 48000, 1, 20, "", false},
    {"L16", -1, 32000, 32000, 1, 20, "", false},
    {"L16", -1, 24000, 24000, 1, 20, "", false},
    {"L16", -1, 12000, 12000, 1, 20, "", false},
    {"QCELP", 12, 8000, 8000, 1, 20, "", false},
    {"CN", 13, 8000, 8000, 1, 20, "", false},
    {"MPA", 14, 90000, 90000, 1, 20, "", false},
    {"G728", 15, 8000, 8000, 1, 20, "", false},
    {"DVI4", 16, 11025, 11025, 1, 20, "", false},
    {"DVI4", 17, 22050, 22050, 1, 20, "", false},
    {"G729", 18, 8000, 8000, 1, 20, "annexb=no", false},
    {"iLBC", 97, 8000, 8000, 1, 30, "mode=30", false},
    {"speex", 98, 8000, 8000, 1, 20, "", false},
    {"speex", 99, 16000, 16000, 1, 20, "", false},
    {"speex", 100, 32000, 32000, 1, 20, "", false},
    {"AMR", 96, 8000, 8000, 1, 20, "octet-align=0", false},
    {"AMR-WB", -1, 16000, 16000, 1, 20, "octet-align=0", false},
    {"G7221", 107, 16000, 16000, 1, 20, "bitrate=32000", false},
    {"G7221", 115, 32000, 32000, 1, 20, "bitrate=48000", false},
    {"G726-16", 124, 8000, 8000, 1, 20, "", false},
    {"G726-24", 123, 8000, 8000, 1, 20, "", false},
    {"G726-32", 122, 8000, 8000, 1, 20, "", false},
    {"G726-32", 2, 8000, 8000, 1, 20, "", false}, /* RFC 1890's number */
    {"G726-40", 121, 8000, 8000, 1, 20, "", false},
    {"AAL2-G726-16", 124, 8000, 8000, 1, 20, "", false},
    {"AAL2-G726-24", 123, 8000, 8000, 1, 20, "", false},
    {"AAL2-G726-32", 122, 8000, 8000, 1, 20, "", false},
    {"AAL2-G726-40", 121, 8000, 8000, 1, 20, "", false},
    {"SILK", -1, 8000, 8000, 1, 20, "", false},
    {"SILK", -1, 16000, 16000, 1, 20, "", false},
    {"SILK", -1, 24000, 24000, 1, 20, "", false},
    {"isac", -1, 16000, 16000, 1, 30, "", false},
    {"BV16", 106, 8000, 8000, 1, 20, "", false},
    {"BV32", 127, 16000, 16000, 1, 20, "", false},
    {"CODEC2", -1, 8000, 8000, 1, 20, "", false}, /* mode=2400 */
    {"telephone-event", 101, 8000, 8000, 1, 20, "0-15", false},
    {"CelB", 25, 90000, 0, 1, 0, "", true},
    {"JPEG", 26, 90000, 0, 1, 0, "", true},
    {"nv", 28, 90000, 0, 1, 0, "", true},
    {"H261", 31, 90000, 0, 1, 0, "", true},
    {"MPV", 32, 90000, 0, 1, 0, "", true},
    {"MP2T", 33, 90000, 0, 1, 0, "", true},
    {"H263", 34, 90000, 0, 1, 0, "", true},
    {"H263-1998", -1, 90000, 0, 1, 0, "", true},
    {"H263-2000", -1, 90000, 0, 1, 0, "", true},
    {"H264", -1, 90000, 0, 1, 0, "", true},
    {"H265", -1, 90000, 0, 1, 0, "", true},
    {"VP8", -1, 90000, 0, 1, 0, "", true},
    {"VP9", -1, 90000, 0, 1, 0, "", true},
    {"AV1", -1, 90000, 0, 1, 0, "", true},
    {"THEORA", -1, 90000, 0, 1, 0, "", true},
    {"PROXY-VID", -1, 90000, 0, 1, 0, "", true},
    {"t140", 98, 1000, 0, 1, 0, "", .is_text = true},
};

const struct sdp_known *sdp_known_find(struct sv name, uint32_t clock_hz)
{
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (sv_isi(name, known[i].name) && (!clock_hz || clock_hz == known[i].clock_hz))
			return &known[i];
	return NULL;
}
const struct sdp_known *sdp_known_of_pt(int pt)
{
	for (size_t i = 0; pt >= 0 && pt < 35 && i < ARRAY_COUNT(known); i++)
		if (known[i].pt == pt)
			return &known[i];
	return NULL;
}

void sdp_codec_init(struct sdp_codec *c, struct sv name)
{
	const struct sdp_known *k = sdp_known_find(name, 0);

	memset(c, 0, sizeof(*c));
	c->pt_send = c->pt_recv = k && k->pt < 96 ? k->pt : -1;
	c->clock_hz = k ? k->clock_hz : 8000;
	c->rate_hz = k ? k->rate_hz : 8000;
	c->channels = k ? k->channels : 1;
	c->ptime_ms = k ? k->ptime_ms : 20;
	sdp_copy(c->name, sizeof(c->name), k ? sv_of(k->name) : name);
}

/* A rate was named: another row of the codec, or the sampling rate of one whose clock is fixed (opus, G722). */
static void apply_rate(struct sdp_codec *c, uint32_t rate)
{
	const struct sdp_known *any = sdp_known_find(sv_of(c->name), 0), *row = sdp_known_find(sv_of(c->name), rate);
	if (any && !strcmp(any->name, "opus")) {
		c->rate_hz = rate;
		return;
	}
	if (any && !strcmp(any->name, "G722"))
		return;
	if (row) {
		c->pt_send = c->pt_recv = row->pt < 96 ? row->pt : -1;
		c->clock_hz = row->clock_hz;
		c->rate_hz = row->rate_hz;
		c->channels = row->channels;
		return;
	}
	c->clock_hz = c->rate_hz = rate;
	c->pt_send = c->pt_recv = -1;
}
/* One "20i" or "8000h". */
static int apply_field(struct sdp_codec *c, struct sv field)
{
	static const struct {
		char unit;
		uint32_t min, max;
	} units[] = {{'h', 4000, 192000}, {'k', 4000, 192000}, {'i', 1, 400}, {'b', 0, 10000000}, {'c', 1, 8}};
	uint32_t v;

	if (field.n < 2 || sv_u32(sv_sub(field, 0, field.n - 1), &v))
		return ST_PARSE;
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		if (field.p[field.n - 1] != units[i].unit)
			continue;
		if (v < units[i].min || v > units[i].max)
			return ST_PARSE;
		switch (units[i].unit) {
		case 'i':
			c->ptime_ms = (uint16_t)v;
			break;
		case 'b':
			c->bitrate = v;
			break;
		case 'c':
			/* opus is opus/48000/2 on the wire whatever it carries */
			if (strcmp(c->name, "opus") != 0)
				c->channels = (uint8_t)v;
			break;
		default:
			apply_rate(c, v);
			break;
		}
		return ST_OK;
	}
	return ST_PARSE;
}
static int parse_item(struct sv item, struct sdp_codec *c)
{
	struct sv head, fields, name, fmtp;
	size_t dot;
	int st;

	sv_split(item, '@', &head, &fields);
	sv_split(head, '~', &name, &fmtp);
	for (dot = name.n; dot > 0 && name.p[dot - 1] != '.'; dot--)
		;
	name = sv_trim(sv_sub(name, dot, name.n));
	if (!name.n || name.n >= SDP_NAME_MAX || fmtp.n >= SDP_FMTP_MAX)
		return ST_PARSE;
	for (size_t i = 0; i < name.n; i++)
		if (!sdp_is_token_char(name.p[i]) || name.p[i] == '/')
			return ST_PARSE;
	for (size_t i = 0; i < fmtp.n; i++)
		if (fmtp.p[i] < ' ' || fmtp.p[i] == 127)
			return ST_PARSE;
	sdp_codec_init(c, name);
	c->ptime_ms = 0;
	sdp_copy(c->fmtp, sizeof(c->fmtp), fmtp);
	while (fields.n) {
		struct sv field;
		sv_split(fields, '@', &field, &fields);
		if ((st = apply_field(c, sv_trim(field))))
			return st;
	}
	return ST_OK;
}
static int parse_list(struct sv text, struct sdp_codecs *out, bool wants_video, bool *has_video, struct sv *bad)
{
	struct sdp_codecs list;
	bool is_video_seen = false;

	list.count = 0;
	while (text.n) {
		struct sv item;
		const struct sdp_known *k;
		struct sdp_codec c;
		sv_split(text, ',', &item, &text);
		item = sv_trim(item);
		if (!item.n)
			continue;
		if (parse_item(item, &c)) {
			if (bad)
				*bad = item;
			return ST_PARSE;
		}
		k = sdp_known_find(sv_of(c.name), 0);
		is_video_seen |= k && k->is_video;
		if ((k && k->is_video) == wants_video && !(k && k->is_text) && list.count < SDP_CODECS_MAX)
			list.v[list.count++] = c;
	}
	out->count = list.count;
	memcpy(out->v, list.v, list.count * sizeof(list.v[0]));
	if (has_video)
		*has_video = is_video_seen;
	return ST_OK;
}
int sdp_codecs_parse(struct sv text, struct sdp_codecs *out, bool *has_video, struct sv *bad)
{
	return parse_list(text, out, false, has_video, bad);
}
int sdp_codecs_parse_video(struct sv text, struct sdp_codecs *out)
{
	return parse_list(text, out, true, NULL, NULL);
}
int sdp_codecs_write(const struct sdp_codecs *c, struct buf *out)
{
	int st = ST_OK;
	for (size_t i = 0; i < c->count && !st; i++) {
		const struct sdp_codec *v = &c->v[i];
		st =
		    buf_printf(out, "%s%s%s%s@%uh", i ? "," : "", v->name, v->fmtp[0] ? "~" : "", v->fmtp, v->clock_hz);
		if (!st && v->ptime_ms)
			st = buf_printf(out, "@%ui", v->ptime_ms);
		if (!st && v->bitrate)
			st = buf_printf(out, "@%ub", v->bitrate);
		if (!st)
			st = buf_printf(out, "@%uc", v->channels);
	}
	return st;
}

bool sdp_fmtp_get(struct sv fmtp, const char *name, struct sv *value)
{
	while (fmtp.n) {
		struct sv one, key, val;
		sv_split(fmtp, ';', &one, &fmtp);
		sv_split(sv_trim(one), '=', &key, &val);
		if (sv_isi(sv_trim(key), name)) {
			*value = sv_trim(val);
			return true;
		}
	}
	return false;
}
/* Parameters that change the bits on the wire, with what their absence means. */
static const struct {
	const char *codec, *param, *absent;
	bool is_video;
} decides[] = {{"AMR", "octet-align", "0", false}, {"AMR-WB", "octet-align", "0", false},
    {"AMR", "interleaving", "", false}, {"AMR-WB", "interleaving", "", false}, {"iLBC", "mode", "30", false},
    {"G7221", "bitrate", NULL, false}, {"CODEC2", "mode", "2400", false}, {"H264", "packetization-mode", "0", true},
    {"VP9", "profile-id", "0", true}};

static struct sv decisive_value(const struct sdp_codec *c, size_t i)
{
	struct sv v;
	if (sdp_fmtp_get(sv_of(c->fmtp), decides[i].param, &v))
		return v;
	if (decides[i].absent)
		return sv_of(decides[i].absent);
	return c->clock_hz == 32000 ? SV("48000") : SV("32000"); /* G7221 */
}
bool sdp_codec_is_same(const struct sdp_codec *a, const struct sdp_codec *b)
{
	struct sv name = sv_of(a->name);

	if (!sv_isi(name, b->name) || a->clock_hz != b->clock_hz || a->channels != b->channels)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(decides); i++)
		if (sv_isi(name, decides[i].codec) && !sv_eqi(decisive_value(a, i), decisive_value(b, i)))
			return false;
	return true;
}
bool sdp_codec_has_variants(const struct sdp_codec *c)
{
	for (size_t i = 0; i < ARRAY_COUNT(decides); i++)
		if (!decides[i].is_video && sv_isi(sv_of(c->name), decides[i].codec))
			return true;
	return false;
}
uint8_t sdp_codec_variant(const struct sdp_codec *c)
{
	unsigned sum = 0;
	for (size_t i = 0; i < ARRAY_COUNT(decides); i++) {
		struct sv v;
		if (decides[i].is_video || !sv_isi(sv_of(c->name), decides[i].codec))
			continue;
		v = decisive_value(c, i);
		for (size_t k = 0; k < v.n; k++)
			sum = sum * 7 + (unsigned char)v.p[k];
	}
	return (uint8_t)(sum ^ sum >> 8);
}
void sdp_codec_form(struct sdp_codec *c)
{
	const struct sdp_known *k = sdp_known_find(sv_of(c->name), c->clock_hz);
	if (!c->fmtp[0] && k && sdp_codec_has_variants(c))
		sdp_copy(c->fmtp, sizeof(c->fmtp), sv_of(k->fmtp));
}
bool sdp_mode_parse(struct sv text, enum sdp_mode *out)
{
	static const char *const names[] = {"generous", "greedy", "scrooge"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (sv_isi(text, names[i])) {
			*out = (enum sdp_mode)i;
			return true;
		}
	}
	return false;
}
