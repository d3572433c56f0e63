/* Keys in descriptions (SDES, RFC 4568), judged: which of the lines that a far side writes is one of the suites we do,
 * and what we write of our own. In what order and under which keys is the policy's. */
#include "base/mem.h"
#include "sdp/crypto.h"
#include "sdp/dtls.h"
#include "sdp/match_i.h"
#include <string.h>

_Static_assert((int)SDP_KEY_MAX == (int)SDP_CRYPTO_KEY_MAX, "a line's key fits a plan");

bool sdp_is_secure_rtp(struct sv proto)
{
	return sv_isi(proto, "RTP/SAVP") || sv_isi(proto, "RTP/SAVPF");
}

static const struct sdp_key *key_of(const struct sdp_secure *secure, const struct sdp_crypto *c, bool is_answer)
{
	for (size_t i = 0; i < secure->count; i++) {
		const struct sdp_key *k = &secure->keys[i];
		if (k->key_n == c->key_n && (sv_eqi(k->suite, c->suite) || sv_eqi(k->also, c->suite)) &&
		    (!is_answer || k->tag == c->tag))
			return k;
	}
	return NULL;
}

int sdp_secure_choose(
    const struct sdp *s, size_t line, const struct sdp_policy *p, bool is_answer, struct sdp_plan *plan)
{
	const struct sdp_secure *secure = p->secure;
	const struct sdp_key *k;
	struct sdp_crypto c;

	plan->is_secure = false;
	plan->why = "the audio line is plain, and encryption (rtp_secure_media) is mandatory";
	if (!sdp_is_secure_rtp(s->media[line].proto))
		return secure && secure->mode == SDP_SECURE_ONLY ? ST_UNSUPPORTED : ST_OK;
	plan->why = "only secure audio (SRTP) is offered";
	if (!secure || secure->mode == SDP_SECURE_NONE)
		return ST_UNSUPPORTED;
	plan->why = "the line with encryption has no a=crypto of a suite we do";
	for (size_t i = 0; i < s->attr_count; i++) {
		const struct sdp_attr *a = &s->attrs[i];
		if (a->media != (int)line || !sv_isi(a->name, "crypto") || sdp_crypto_read(a->value, &c) ||
		    !(k = key_of(secure, &c, is_answer)))
			continue;
		if (!memcmp(k->key, c.key, c.key_n)) {
			plan->why = "the far side's key is our own";
			continue;
		}
		plan->is_secure = true;
		plan->key_index = (uint8_t)(k - secure->keys);
		plan->key_tag = c.tag;
		memcpy(plan->key_in, c.key, c.key_n);
		return ST_OK;
	}
	return ST_UNSUPPORTED;
}

static void put(struct buf *b, uint32_t tag, const struct sdp_key *k)
{
	buf_adds(b, "a=crypto:");
	(void)sdp_crypto_write(b, tag, k->suite, k->key, k->key_n);
	buf_adds(b, "\r\n");
}

void sdp_secure_put_offer(struct buf *b, const struct sdp_policy *p)
{
	for (size_t i = 0; p->secure && i < p->secure->count; i++)
		put(b, p->secure->keys[i].tag, &p->secure->keys[i]);
}

void sdp_secure_put_answer(struct buf *b, const struct sdp_policy *p, const struct sdp_plan *plan)
{
	put(b, plan->key_tag, &p->secure->keys[plan->key_index]);
}

/* Whatever it carries: SRTP, or something over TLS or DTLS ("TCP/TLS/MSRP", "UDP/DTLS/SCTP", "UDP/TLS/UDPTL"). */
static bool is_sealed(struct sv proto)
{
	struct sv word;

	if (sdp_is_secure_rtp(proto) || sdp_is_dtls_proto(proto))
		return true;
	while (proto.n) {
		sv_split(proto, '/', &word, &proto);
		if (!proto.n)
			return false; /* what is carried, not what carries */
		if (sv_isi(word, "TLS") || sv_isi(word, "DTLS"))
			return true;
	}
	return false;
}

bool sdp_is_secured(struct sv sdp)
{
	size_t open = 0, plain = 0;
	struct sdp *s;

	if (sdp_parse_new(sdp, &s))
		return false;
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *a = &s->media[i];
		open += a->port != 0;
		plain += a->port && !is_sealed(a->proto);
	}
	mem_free(s);
	return open && !plain;
}

struct sv sdp_offer_suite(struct sv offer)
{
	struct sv line, rest = offer, word;
	bool is_secure = false;

	if (!offer.n || !memmem(offer.p, offer.n, "a=crypto:", 9)) /* most have none */
		return SV_NONE;
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		line = sv_trim(line);
		if (sv_starts(line, SV("m="))) {
			(void)sdp_word(&line), (void)sdp_word(&line);
			is_secure = sdp_is_secure_rtp(sdp_word(&line));
		} else if (is_secure && sv_starts(line, SV("a=crypto:"))) {
			(void)sdp_word(&line);
			word = sdp_word(&line);
			return word;
		}
	}
	return SV_NONE;
}
