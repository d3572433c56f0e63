/* SIP over WebSocket as it arrives: a request to open, frames, SIP messages in them. The first byte says which side we
 * are and how the bytes are cut; as a client the answer to our opening comes first.
 * Parser: net/ws_open.c */
#include "base/check.h"
#include "net/http_reader.h"
#include "net/ws_open.h"
#include "sip/msg/msg.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 4096 };
static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];

static int wire_send(struct ws *w, struct sv bytes, void *arg)
{
	return ST_OK;
}

static void wire_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	struct sip_msg m;
	role_assert_ctl();
	CHECK(message.n <= MESSAGE_MAX);
	if (!sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, message.p, message.n, 0))
		CHECK(m.body.n <= message.n);
	if (is_text)
		ws_send_text(w, message);
	else
		ws_send_binary(w, message);
}

static ON_CTL void frames(bool is_client, const char *p, size_t n, size_t step)
{
	static const struct ws_handlers handlers = {.on_message = wire_message, .send = wire_send};
	struct ws *w;
	CHECK(!(is_client ? ws_client_new(&w, MESSAGE_MAX, &handlers, NULL)
	                  : ws_server_new(&w, MESSAGE_MAX, &handlers, NULL)));
	for (size_t at = 0; at < n; at += step) {
		if (ws_feed(w, p + at, n - at < step ? n - at : step))
			break;
		CHECK(ws_held_bytes(w) <= n);
	}
	ws_close(w, 1001, "");
	ws_free(w);
}

static ON_CTL void server(const char *p, size_t n, size_t step)
{
	struct http_reader *r;
	struct buf answer;
	size_t at = 0, used;
	int st = ST_AGAIN;
	CHECK(!http_reader_new(&r, 0));
	buf_init(&answer);
	for (; st == ST_AGAIN && at < n; at += used)
		st = http_reader_feed(r, p + at, n - at < step ? n - at : step, &used);
	if (st == ST_OK) {
		st = ws_open_answer(http_reader_request(r), "sip", "https://a.example", &answer);
		CHECK((st == ST_OK) == (answer.n > 12 && !memcmp(answer.p, "HTTP/1.1 101", 12)));
		if (!st)
			frames(false, p + at, n - at, step);
	}
	buf_fini(&answer);
	http_reader_free(r);
}

static ON_CTL void client(const char *p, size_t n, size_t step)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ=="; /* RFC 6455 1.3 */
	int code, st = ST_AGAIN;
	size_t used = 0, have = 0;
	char fresh[WS_KEY_CHARS + 1];
	struct buf b;
	buf_init(&b);
	ws_open_request(&b, "h", "/", "sip", NULL, fresh);
	CHECK(strlen(fresh) == WS_KEY_CHARS && strstr(b.p, fresh));
	buf_fini(&b);
	while (st == ST_AGAIN && have < n) {
		have += n - have < step ? n - have : step;
		st = ws_open_answered((struct sv){p, have}, key, "sip", &used, &code);
	}
	CHECK(used <= have);
	if (!st)
		frames(true, p + used, n - used, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	role_set(ROLE_CTL);
	role_assert_ctl();
	if (!size)
		return 0;
	size_t step = (size_t)(data[0] & 127) * 4 + 1;
	(data[0] & 128 ? client : server)((const char *)data + 1, size - 1, step);
	return 0;
}
