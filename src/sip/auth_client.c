/* The client's side of digest: picks a challenge it can answer from a 401 or 407 to its own request and writes the
 * request again with credentials. One try for a realm, one more when the server calls the nonce stale. */
#include "sip/digest.h"
#include "sip/sip_i.h"

/* The first challenge with an algorithm and qop we have and a realm we have credentials for. */
static ON_CTL bool choose(struct sip_ctx *c, const struct sip_msg *resp, enum sip_hdr_id id, struct sip_auth *auth,
    enum digest_algorithm *alg, struct sip_credentials *cred)
{
	for (const struct sip_hdr *h = sip_msg_hdr(resp, id); h; h = sip_msg_hdr_next(resp, h)) {
		struct sip_list_it it;
		bool has_auth = false;
		if (sip_auth_parse(auth, h->value) || !auth->nonce.n)
			continue;
		if (!auth->algorithm.n || sv_isi(auth->algorithm, "MD5"))
			*alg = DIGEST_MD5;
		else if (sv_isi(auth->algorithm, "SHA-256"))
			*alg = DIGEST_SHA256;
		else
			continue;
		sip_list_start_value(&it, auth->qop);
		while (sip_list_next(&it))
			has_auth |= sv_isi(it.item, "auth");
		if (auth->qop.n && !has_auth)
			continue;
		*cred = (struct sip_credentials){0};
		struct sip_challenge ch = {auth->realm, &c->from, &c->dst.addr};
		if (c->credentials(&ch, cred, c->credentials_arg) && (cred->password.p || *alg == DIGEST_MD5))
			return true;
	}
	return false;
}

static bool may_try(struct sip_ctx *c, const struct sip_auth *auth)
{
	bool is_new_realm = !c->auth_realm || !sv_is(auth->realm, c->auth_realm);
	if (c->auth_tries >= 3 || (!is_new_realm && !sv_isi(auth->stale, "true")))
		return false;
	c->auth_tries++;
	mem_free(c->auth_realm);
	c->auth_realm = sv_dup(auth->realm);
	return true;
}

/* As the challenge wrote it, escapes kept; what stood there without quotes and would not be a quoted string as it is
 * (a last backslash would take our closing quote) is quoted anew. */
static void put_quoted_raw(struct buf *b, const char *name, struct sv v)
{
	bool is_good = sip_is_value(v);
	for (size_t i = 0; i < v.n && is_good; i++) {
		if (v.p[i] == '\\')
			is_good = ++i < v.n;
		else
			is_good = v.p[i] != '"';
	}
	buf_printf(b, "%s=", name);
	if (is_good)
		buf_printf(b, "\"%.*s\"", SVF(v));
	else
		sip_put_quoted(b, v);
	buf_adds(b, ", ");
}

static void put_answer(struct buf *b, const char *name, const struct sip_auth *auth, enum digest_algorithm alg,
    const struct sip_credentials *cred, struct sv method, struct sv uri)
{
	char ha1[65], response[65], cnonce[17];
	struct sv qop = auth->qop.n ? SV("auth") : SV_NONE;
	if (cred->ha1.n == 32 && alg == DIGEST_MD5) {
		memcpy(ha1, cred->ha1.p, 32);
		ha1[32] = '\0';
	} else {
		digest_ha1(alg, cred->user, auth->realm, cred->password, ha1);
	}
	rand_token(cnonce, sizeof(cnonce) - 1);
	digest_response(alg, ha1, auth->nonce, SV("00000001"), sv_of(cnonce), qop, method, uri, response);
	buf_printf(b, "%s: Digest username=", name);
	sip_put_quoted(b, cred->user);
	buf_adds(b, ", ");
	put_quoted_raw(b, "realm", auth->realm);
	put_quoted_raw(b, "nonce", auth->nonce);
	put_quoted_raw(b, "uri", uri);
	if (auth->opaque.n)
		put_quoted_raw(b, "opaque", auth->opaque);
	buf_printf(b, "response=\"%s\", algorithm=%s", response, alg == DIGEST_MD5 ? "MD5" : "SHA-256");
	if (qop.n)
		buf_printf(b, ", qop=auth, nc=00000001, cnonce=\"%s\"", cnonce);
	buf_adds(b, "\r\n");
}

/* The request as it was, without our Via, with the new CSeq, without an older answer to the same kind of challenge. */
static void put_again(struct buf *b, const struct sip_msg *m, uint32_t cseq, enum sip_hdr_id answered)
{
	bool is_first_via = true;
	for (size_t i = 0; i < m->hdr_count; i++) {
		const struct sip_hdr *h = &m->hdrs[i];
		if (h->id == SIP_HDR_CONTENT_LENGTH || h->id == SIP_HDR_CONTENT_TYPE || h->id == answered)
			continue;
		if (h->id == SIP_HDR_VIA && is_first_via) {
			is_first_via = false;
			continue;
		}
		buf_addv(b, h->name);
		buf_adds(b, ": ");
		if (h->id == SIP_HDR_CSEQ)
			buf_printf(b, "%u %.*s", cseq, SVF(m->method_text));
		else
			buf_addv(b, h->value);
		buf_adds(b, "\r\n");
	}
}

bool sip_ctx_authorize(struct sip_ctx *c, const struct sip_msg *resp, struct buf *out, uint32_t cseq)
{
	bool is_proxy = resp->code == 407;
	enum sip_hdr_id answer_id = is_proxy ? SIP_HDR_PROXY_AUTHORIZATION : SIP_HDR_AUTHORIZATION;
	struct sip_auth auth;
	enum digest_algorithm alg;
	struct sip_credentials cred;
	struct sip_msg m;
	if (!choose(c, resp, is_proxy ? SIP_HDR_PROXY_AUTHENTICATE : SIP_HDR_WWW_AUTHENTICATE, &auth, &alg, &cred) ||
	    !may_try(c, &auth))
		return false;
	if (sip_msg_parse(&m, c->stack->own_hdrs, SIP_MSG_HDRS_MAX, c->msg, c->msg_n, 0))
		return false;
	sip_put_request_line(out, m.method_text, m.ruri.text);
	put_again(out, &m, cseq, answer_id);
	put_answer(out, sip_hdr_name(answer_id), &auth, alg, &cred, m.method_text, m.ruri.text);
	sip_put_body(out, m.content_type, m.body);
	return !out->failed;
}
