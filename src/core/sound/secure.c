/* A leg's media under SRTP with keys in SDP (SDES, RFC 4568): whether it may or must be, under which suites, our keys,
 * and what becomes of the far side's. The text is sdp's, the packets are media's (media/rt/crypt.h).
 *
 * A key that was sent under is never begun again, for the packets' numbers would come twice under it: while our key
 * stays, its context stays (rt_crypt_srtp_next), and when a suite goes out of use its key goes too. */
#include "base/check.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "media/rt/crypt.h"
#include <string.h>
#include <strings.h>

struct leg_secure {
	struct sdp_secure keys;
	enum srtp_suite suites[SDP_KEYS_MAX];
	struct {
		bool is_made;
		uint8_t key[SRTP_KEY_MAX];
	} fresh[SRTP_SUITE_COUNT]; /* ours by suite: said, or to be; the same until it was sent under */
	bool is_on, was_on;        /* was_on: of a stream that is closed */
	enum srtp_suite suite;     /* while it is on: */
	uint8_t out[SRTP_KEY_MAX], in[SRTP_KEY_MAX]; /* what packets go and come under */
};

/* In FreeSWITCH's order and with its tags; best first. */
static const struct {
	uint8_t tag;
	uint8_t suite;
} known[] = {
    {2, SRTP_AEAD_AES_256_GCM},
    {4, SRTP_AEAD_AES_128_GCM},
    {5, SRTP_AES_CM_256_HMAC_SHA1_80},
    {7, SRTP_AES_CM_128_HMAC_SHA1_80},
    {8, SRTP_AES_CM_256_HMAC_SHA1_32},
    {10, SRTP_AES_CM_128_HMAC_SHA1_32},
};
enum { KNOWN_COUNT = sizeof(known) / sizeof(known[0]) };
_Static_assert((int)KNOWN_COUNT <= (int)SDP_KEYS_MAX && (int)SDP_KEY_MAX == (int)SRTP_KEY_MAX, "sdp has room for ours");

/* ---- what is wanted ---- */

struct wish {
	enum sdp_secure_mode mode;
	struct sv suites; /* empty: all */
};

static bool is_one_of(struct sv word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sv_isi(word, words[i]))
			return true;
	return false;
}

/* FreeSWITCH's words of either kind, besides the names of the modes. */
static bool is_true(struct sv word)
{
	static const char *const words[] = {"mandatory", "true", "yes", "on", "t", "enabled", "active", "allow", "1"};
	return is_one_of(word, words, ARRAY_COUNT(words));
}

static bool is_false(struct sv word)
{
	static const char *const words[] = {
	    "forbidden", "false", "no", "off", "f", "disabled", "inactive", "disallow", "0"};
	return is_one_of(word, words, ARRAY_COUNT(words));
}

static ON_CTL struct wish wish_of(const struct leg_media *m)
{
	struct leg *leg = m->leg;
	struct wish w = {leg->is_outbound ? SDP_SECURE_NONE : SDP_SECURE_OPTIONAL, SV_NONE};
	const char *of_way = leg->is_outbound ? "rtp_secure_media_outbound" : "rtp_secure_media_inbound";
	const char *text = vars_get(leg->vars, of_way);
	struct sv word, rest;

	if (!text || !*text)
		text = vars_get(leg->vars, "rtp_secure_media");
	w.suites = sv_of(vars_get(leg->vars, "rtp_secure_media_suites"));
	if (text && *text) {
		sv_split(sv_of(text), ':', &word, &rest);
		if (srtp_suite_of(word) != SRTP_NONE)
			w.mode = SDP_SECURE_ONLY, rest = sv_of(text); /* only the suites */
		else if (sv_isi(word, "optional"))
			w.mode = SDP_SECURE_OPTIONAL;
		else if (is_false(word))
			w.mode = SDP_SECURE_NONE;
		else
			w.mode = SDP_SECURE_ONLY;
		if (w.mode == SDP_SECURE_ONLY && rest.p != text && !is_true(word))
			leg_log(leg, LOG_WARNING,
			    "rtp_secure_media: \"%s\" is none of false, optional, mandatory, true: taken as mandatory",
			    text);
		if (rest.n)
			w.suites = rest;
	}
	if (m->first->is_secure_required)
		w.mode = SDP_SECURE_ONLY;
	return w;
}

/* ---- our keys ---- */

static ON_CTL void key_add(struct leg_secure *x, enum srtp_suite s)
{
	for (size_t i = 0; i < x->keys.count; i++)
		if (x->suites[i] == s)
			return; /* named twice */
	for (size_t i = 0; i < KNOWN_COUNT && x->keys.count < SDP_KEYS_MAX; i++) {
		struct sdp_key *k = &x->keys.keys[x->keys.count];
		if (known[i].suite != s)
			continue;
		x->suites[x->keys.count++] = s;
		*k = (struct sdp_key){
		    .tag = known[i].tag, .suite = sv_of(srtp_suite_name(s)), .key_n = srtp_key_bytes(s)};
		k->also = sv_of(srtp_suite_also(s));
		if (!x->fresh[s].is_made)
			rand_bytes(x->fresh[s].key, k->key_n);
		x->fresh[s].is_made = true;
		memcpy(k->key, x->is_on && x->suite == s ? x->out : x->fresh[s].key, k->key_n);
	}
}

/* What is offered or answered with next. A key that was said and not used yet is said again: an offer that is under
 * way, or that is sent once more, means it. */
static ON_CTL int keys_make(struct leg_media *m, const struct wish *w, struct media_policy *q)
{
	struct leg *leg = m->leg;
	struct leg_secure *x = m->secure;
	struct sv rest = w->suites, word;

	if (!x && !(x = m->secure = mem_zalloc(sizeof(*x))))
		return ST_NOMEM;
	x->keys.mode = w->mode;
	x->keys.count = 0;
	while (rest.n) {
		sv_split(rest, ':', &word, &rest);
		enum srtp_suite s = srtp_suite_of(sv_trim(word));
		if (s == SRTP_NONE)
			leg_log(leg, LOG_INFO, "SRTP: the suite \"%.*s\" is none of ours", SVF(word));
		else
			key_add(x, s);
	}
	for (size_t i = 0; !w->suites.n && i < KNOWN_COUNT; i++)
		key_add(x, (enum srtp_suite)known[i].suite);
	if (!x->keys.count) {
		leg_log(leg, LOG_WARNING, "SRTP: no suite is left of \"%.*s\"", SVF(w->suites));
		return w->mode == SDP_SECURE_ONLY ? ST_UNSUPPORTED : ST_OK;
	}
	q->p.secure = &x->keys;
	return ST_OK;
}

int media_secure_offer(struct leg_media *m, struct media_policy *q)
{
	struct leg *leg = m->leg;
	struct wish w = wish_of(m);
	bool is_running = (m->secure && (m->secure->is_on || m->secure->was_on)) ||
	                  (!m->is_negotiated && m->first->remote_sdp && sdp_offer_suite(sv_of(m->first->remote_sdp)).n);

	if (!leg->is_outbound && w.mode == SDP_SECURE_OPTIONAL && !is_running)
		w.mode = SDP_SECURE_NONE; /* who calls without SDP is asked for it only where that is said */
	if (w.mode == SDP_SECURE_NONE && is_running)
		w.mode = SDP_SECURE_OPTIONAL; /* it was agreed on before */
	if (w.mode == SDP_SECURE_OPTIONAL && m->secure && (m->secure->is_on || m->secure->was_on))
		w.mode = SDP_SECURE_ONLY; /* and stays so */
	return w.mode == SDP_SECURE_NONE ? ST_OK : keys_make(m, &w, q);
}

int media_secure_answer(struct leg_media *m, struct media_policy *q, struct sv offer)
{
	struct wish w = wish_of(m);

	if (m->leg->is_outbound && w.mode == SDP_SECURE_NONE && m->secure)
		w.mode = SDP_SECURE_OPTIONAL; /* it was agreed on before */
	if (w.mode == SDP_SECURE_OPTIONAL && m->secure && m->secure->is_on)
		w.mode = SDP_SECURE_ONLY; /* what was secured stays so: nobody talks it away with a re-INVITE */
	if (w.mode == SDP_SECURE_NONE || (w.mode == SDP_SECURE_OPTIONAL && !sdp_offer_suite(offer).n))
		return ST_OK;
	return keys_make(m, &w, q);
}

void media_secure_answered(struct leg_media *m, struct media_policy *q)
{
	const struct leg_secure *x = m->secure;
	q->p.secure = x && x->keys.count ? &x->keys : NULL;
}

/* ---- what was agreed on ---- */

static ON_CTL void tell(struct leg_media *m, enum srtp_suite s)
{
	struct leg *leg = m->leg;
	static bool is_told;
	const char *way;
	struct event *e;

	media_vars_secure(m, "true");
	way = vars_get(leg->vars, "sip_via_protocol");
	if (!is_told && way && strcasecmp(way, "tls") != 0 && strcasecmp(way, "wss") != 0) {
		is_told = true;
		leg_log(leg, LOG_NOTICE,
		    "SRTP: keys travel in SDP over %s, where whoever reads the signalling hears the call; use TLS "
		    "(said once)",
		    way);
	}
	if (!event_is_wanted(EVENT_CALL_SECURE, NULL) || !(e = event_new(EVENT_CALL_SECURE, NULL)))
		return;
	event_addf(e, "secure_type", "srtp:sdes:%s", srtp_suite_name(s));
	event_add(e, "caller-unique-id", leg->uuid);
	event_fire(e);
}

/* It was sent under: no later answer to the same offer begins it again. */
static ON_CTL void spend(struct leg_secure *x)
{
	for (size_t i = 0; i < x->keys.count; i++)
		if (x->suites[i] == x->suite && !memcmp(x->keys.keys[i].key, x->out, srtp_key_bytes(x->suite)))
			x->keys.keys[i].key_n = 0; /* fits no line any more */
	x->is_on = false;
	explicit_bzero(&x->fresh[x->suite], sizeof(x->fresh[x->suite]));
	explicit_bzero(x->out, sizeof(x->out));
	explicit_bzero(x->in, sizeof(x->in));
}

static ON_CTL int plain(struct leg_media *m, struct leg_secure *x)
{
	int st;

	if (!x || !x->is_on)
		return ST_OK;
	st = mstream_set_crypt(m->stream, NULL);
	if (st)
		return st;
	leg_log(m->leg, LOG_NOTICE, "SRTP: the far side goes on without encryption");
	spend(x);
	media_vars_secure(m, NULL);
	return ST_OK;
}

int media_secure_apply(struct leg_media *m, const struct sdp_plan *plan)
{
	struct leg_secure *x = m->secure;
	const struct sdp_key *k;
	struct rt_crypt *crypt = NULL;
	enum srtp_suite s;
	bool is_same, has_out, has_in;
	int st;

	if (plan->is_dtls) { /* its crypt took the place of ours */
		media_secure_fini(m);
		return ST_OK;
	}
	if (!plan->is_secure)
		return plain(m, x);
	k = &x->keys.keys[plan->key_index];
	s = x->suites[plan->key_index];
	is_same = x->is_on && x->suite == s;
	has_out = is_same && !memcmp(x->out, k->key, k->key_n);
	has_in = is_same && !memcmp(x->in, plan->key_in, k->key_n);
	if (has_out && has_in) {
		x->keys.keys[plan->key_index].tag = plan->key_tag;
		return ST_OK;
	}
	st = is_same ? rt_crypt_srtp_next(&crypt, s, has_out ? NULL : k->key, has_in ? NULL : plan->key_in)
	             : rt_crypt_srtp_new(&crypt, s, k->key, plan->key_in);
	if (!st && (st = mstream_set_crypt(m->stream, crypt)))
		rt_crypt_free(crypt);
	if (st)
		return st;
	if (x->is_on && !is_same)
		spend(x);
	x->keys.keys[plan->key_index].tag = plan->key_tag; /* as it was written: a refresh says it again */
	x->is_on = true;
	x->suite = s;
	memcpy(x->out, k->key, k->key_n);
	memcpy(x->in, plan->key_in, k->key_n);
	if (!is_same)
		tell(m, s);
	return ST_OK;
}

bool media_secure_is_demanded(struct leg *leg)
{
	return sound_of(leg)->media && wish_of(sound_of(leg)->media).mode == SDP_SECURE_ONLY;
}

bool media_secure_is_on(const struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	return m && ((m->secure && m->secure->is_on) || m->dtls);
}

void media_secure_seen(struct leg *leg, struct sv offer)
{
	struct sv suite = sdp_offer_suite(offer);
	if (suite.n && suite.n < 64)
		leg_var_set_sv(leg, "rtp_has_crypto", suite);
}

void media_secure_closed(struct leg_media *m)
{
	struct leg_secure *x = m->secure;

	if (!x || !x->is_on)
		return;
	x->is_on = false, x->was_on = true;
	explicit_bzero(&x->keys, sizeof(x->keys));
	explicit_bzero(x->fresh, sizeof(x->fresh));
	explicit_bzero(x->out, sizeof(x->out));
	explicit_bzero(x->in, sizeof(x->in));
}

void media_secure_fini(struct leg_media *m)
{
	if (m->secure)
		explicit_bzero(m->secure, sizeof(*m->secure));
	mem_free(m->secure);
	m->secure = NULL;
}
