/* What a REGISTER says of how its sender can be reached beyond the Contact's address: flows (RFC 5626: the way it came
 * is the way back, several of one phone), and the proxies on that way (Path, RFC 3327). A flow needs +sip.instance,
 * reg-id, "outbound" in Supported, and a first hop that keeps flows: us, or one that wrote ";ob" in its Path. All
 * of it is the phone's word: bounded, and of the grammar, or refused. Pure; flow_end.c has a flow's end. */
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"

#include <string.h>

enum { INSTANCE_MAX = 256, PATH_ITEMS_MAX = 8, PATH_MAX_BYTES = 1024 };

/* Of "<urn:uuid:...>" what is between the brackets; empty when it is none. */
struct sv outbound_instance(struct sv value)
{
	if (value.n < 3 || value.n > INSTANCE_MAX || value.p[0] != '<' || value.p[value.n - 1] != '>')
		return SV_NONE;
	struct sv urn = sv_sub(value, 1, value.n - 2);
	for (size_t i = 0; i < urn.n; i++) {
		char c = urn.p[i];
		bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', is_digit = c >= '0' && c <= '9';
		if (!is_letter && !is_digit && (!c || !strchr(":-_.%+=@;$!*'()/?#", c)))
			return SV_NONE;
	}
	return sv_startsi(urn, SV("urn:")) ? urn : SV_NONE;
}

static bool has_proxy(const struct sip_msg *m)
{
	struct sip_list_it it;
	size_t n = 0;
	sip_list_start(&it, m, SIP_HDR_VIA);
	while (n < 2 && sip_list_next(&it))
		n++;
	return n > 1;
}

static bool has_ob_path(const struct sip_msg *m)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	sip_list_start(&it, m, SIP_HDR_PATH);
	while (sip_list_next(&it))
		if (!sip_nameaddr_parse(&na, it.item) && sip_uri_param(&na.uri, "ob", NULL))
			return true;
	return false;
}

int outbound_read(const struct sip_msg *m, const struct sip_nameaddr *contact, struct reg_outbound *out)
{
	struct sv value, id;
	uint32_t n = 0;
	*out = (struct reg_outbound){.instance = SV_NONE};
	if (sip_param_get(contact->params, ';', "+sip.instance", &value))
		out->instance = outbound_instance(value);
	if (!out->instance.n || !sip_param_get(contact->params, ';', "reg-id", &id))
		return 0;
	if (!sip_msg_has_token(m, SIP_HDR_SUPPORTED, "outbound") && !sip_msg_has_token(m, SIP_HDR_REQUIRE, "outbound"))
		return 0;
	if (sv_u32(id, &n) || !n || n > INT32_MAX)
		return 400;
	if (has_proxy(m) && !has_ob_path(m))
		return 439;
	out->reg_id = n;
	return 0;
}

int outbound_path_put(const struct sip_msg *m, struct buf *out, size_t *count)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	size_t start = out->n;
	*count = 0;
	sip_list_start(&it, m, SIP_HDR_PATH);
	while (sip_list_next(&it)) {
		bool is_sip = !sip_nameaddr_parse(&na, it.item) && na.has_brackets && na.uri.host.n &&
		              (na.uri.scheme == SIP_SCHEME_SIP || na.uri.scheme == SIP_SCHEME_SIPS);
		if (!is_sip || ++*count > PATH_ITEMS_MAX)
			return ST_INVAL;
		buf_printf(out, "%s<%.*s>", out->n > start ? "," : "", SVF(na.uri.text));
	}
	return it.is_bad || out->n - start > PATH_MAX_BYTES ? ST_INVAL : out->failed ? ST_NOMEM : ST_OK;
}
