/* Whole utterances go to a server as wav files by POST; what it answers is the result. A server that never answers
 * costs its call one timeout. */
#include "asr/asr_i.h"
#include "core/leg/leg.h"
#include "fetch/fetch.h"

#include <string.h>
#include <strings.h>

enum { WAV_HEADER = 44 };

static uint32_t http_rate(const char *name, const struct recogniser **r)
{
	role_assert_ctl();
	if (strcasecmp(name, "http") || !*asr_param("url"))
		return 0;
	return asr_param_number("rate", 8000, 16000, 8000) == 16000 ? 16000 : 8000;
}

static void answered(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	struct hearing *h = arg;
	h->fetch = NULL;
	if (!r->status && r->code == 200) {
		asr_answer_json(h, r->body);
		return;
	}
	leg_log(h->leg, LOG_ERR, "speech engine: %s (%d)", r->status ? r->error : "it refused", r->code);
	asr_over(h, "006", SV_NONE); /* recognizer-error */
}

static void le(uint8_t *p, uint32_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void wav_header(uint8_t p[WAV_HEADER], uint32_t rate_hz, uint32_t bytes)
{
	memcpy(p, "RIFF....WAVEfmt ", 16);
	le(p + 4, bytes + WAV_HEADER - 8, 4);
	le(p + 16, 16, 4), le(p + 20, 1, 2), le(p + 22, 1, 2);
	le(p + 24, rate_hz, 4), le(p + 28, rate_hz * 2, 4), le(p + 32, 2, 2), le(p + 34, 16, 2);
	memcpy(p + 36, "data", 4);
	le(p + 40, bytes, 4);
}

static int http_ask(struct hearing *h)
{
	struct buf body, headers;
	uint8_t wav[WAV_HEADER];
	role_assert_ctl();
	buf_init(&body);
	buf_init(&headers);
	wav_header(wav, h->rate_hz, (uint32_t)h->speech.n);
	buf_add(&body, wav, sizeof(wav));
	buf_addv(&body, buf_sv(&h->speech));
	buf_printf(
	    &headers, "X-Call-UUID: %s\r\nX-Grammar: %s\r\nAccept: application/json\r\n", h->leg->uuid, h->grammar);
	if (*asr_param("authorization"))
		buf_printf(&headers, "Authorization: %s\r\n", asr_param("authorization"));
	struct fetch_params p = {.url = asr_param("url"),
	    .headers = headers.p,
	    .ctype = "audio/wav",
	    .body = buf_sv(&body),
	    .timeout_ms = asr_param_number("timeout", 100, ASR_MS_MAX, 10000),
	    .max_bytes = ASR_ANSWER_MAX,
	    .allows_http = true,
	    .allows_inside = true};
	int st = body.failed || headers.failed ? ST_NOMEM : fetch_start(&h->fetch, &p, answered, h);
	buf_fini(&body);
	buf_fini(&headers);
	return st;
}

static void http_cancel(struct hearing *h)
{
	role_assert_ctl();
	fetch_cancel(h->fetch);
	h->fetch = NULL;
}

const struct asr_engine asr_http = {.rate_hz = http_rate, .ask = http_ask, .cancel = http_cancel};
