/* What requests name: dialogs (Replaces, Join: RFC 3891, 3911), where to refer to (Refer-To: RFC 3515), and the digit
 * an INFO brings. Pure. */
#include "base/mem.h"
#include "endpoint/sip/uri/uri.h"
#include <string.h>

/* ---- Replaces, Join: call-id;to-tag=..;from-tag=.. as the side that receives it sees them ---- */

bool dialog_name_parse(struct dialog_name *out, struct sv text)
{
	struct sv params;
	*out = (struct dialog_name){.to_tag = SV_NONE};
	sv_split(sv_trim(text), ';', &out->call_id, &params);
	out->call_id = sv_trim(out->call_id);
	out->is_early_only = sip_param_get(params, ';', "early-only", NULL);
	return out->call_id.n && sip_param_get(params, ';', "to-tag", &out->to_tag) && out->to_tag.n &&
	       sip_param_get(params, ';', "from-tag", &out->from_tag) && out->from_tag.n;
}

/* ---- Target-Dialog: call-id;local-tag=..;remote-tag=.. as its sender's side has them (RFC 4538) ---- */

bool dialog_target_parse(struct dialog_name *out, struct sv text)
{
	struct sv params;
	*out = (struct dialog_name){.to_tag = SV_NONE};
	sv_split(sv_trim(text), ';', &out->call_id, &params);
	out->call_id = sv_trim(out->call_id);
	return out->call_id.n && sip_param_get(params, ';', "remote-tag", &out->to_tag) && out->to_tag.n &&
	       sip_param_get(params, ';', "local-tag", &out->from_tag) && out->from_tag.n;
}

/* ---- Refer-To ---- */

static char *unescaped(struct sv text)
{
	struct buf b;
	buf_init(&b);
	sip_unescape(&b, text);
	return buf_take(&b);
}

bool refer_to_parse(struct refer_to *out, struct sv value)
{
	struct sip_nameaddr to;
	struct sv rest, one, name, text;
	*out = (struct refer_to){.exten = NULL};
	if (!value.n || sip_nameaddr_parse(&to, value) < 0 ||
	    (to.uri.scheme != SIP_SCHEME_SIP && to.uri.scheme != SIP_SCHEME_SIPS && to.uri.scheme != SIP_SCHEME_TEL) ||
	    !to.uri.user.n)
		return false;
	out->host = to.uri.host;
	out->exten = unescaped(to.uri.user);
	for (rest = to.uri.headers; rest.n;) {
		sv_split(rest, '&', &one, &rest);
		if (sv_split(one, '=', &name, &text) && sv_isi(name, "Replaces") && !out->replaces)
			out->replaces = unescaped(text);
	}
	return out->exten && sip_is_value(sv_of(out->exten)) && (!out->replaces || sip_is_value(sv_of(out->replaces)));
}

void refer_to_fini(struct refer_to *r)
{
	mem_free(r->exten);
	mem_free(r->replaces);
}

/* ---- INFO ---- */

static bool digit_char(char ch)
{
	return ch && strchr("0123456789*#ABCDabcd", ch) != NULL;
}

/* "5", "*", or its event number. */
static char digit_of_text(struct sv text)
{
	uint32_t n;
	if (text.n == 1)
		return text.p[0];
	return sv_u32(text, &n) == ST_OK && n <= 15 ? "0123456789*#ABCD"[n] : 0;
}

bool info_digit_parse(struct sv ctype, struct sv body, char *digit, unsigned *duration_samples)
{
	struct sv rest = body, line, key, value;
	uint32_t n;
	*digit = 0;
	if (sv_startsi(ctype, SV("application/dtmf-relay"))) {
		while (rest.n) {
			sv_split(rest, '\n', &line, &rest);
			if (!sv_split(line, '=', &key, &value))
				continue;
			key = sv_trim(key), value = sv_trim(value);
			if (sv_isi(key, "Signal"))
				*digit = digit_of_text(value);
			else if (sv_isi(key, "Duration") && sv_u32(value, &n) == ST_OK && n <= 10000)
				*duration_samples = n * 8;
		}
	} else if (sv_startsi(ctype, SV("application/dtmf"))) {
		*digit = digit_of_text(sv_trim(rest));
	}
	return digit_char(*digit);
}
