/* The WebSocket side: frames in pieces, on a wire that refuses now and then; messages stay within their bound. The
 * first byte says how long pieces are and when the wire is full.
 * Parser: net/ws.c */
#include "base/check.h"
#include "base/mem.h"
#include "net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct wire {
	unsigned count, full_each;
	size_t sent;
};

static int wire_send(struct ws *w, struct sv bytes, void *arg)
{
	struct wire *x = arg;
	if (x->full_each && ++x->count % x->full_each == 0)
		return ST_FULL;
	x->sent += bytes.n;
	return ST_OK;
}

static void wire_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	role_assert_ctl();
	CHECK(message.n <= 100);
	if (is_text)
		ws_send_text(w, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ws_handlers handlers = {.on_message = wire_message, .send = wire_send};
	struct wire x = {.full_each = size ? data[0] >> 6 : 0};
	char key[WS_ACCEPT_CHARS + 1];
	struct ws *w;
	role_set(ROLE_CTL);
	role_assert_ctl();
	ws_accept_key((struct sv){(const char *)data, size}, key);
	if (!size)
		return 0;
	CHECK(!ws_server_new(&w, 100, &handlers, &x));
	size_t step = (data[0] & 63) + 1;
	for (size_t at = 1; at < size; at += step)
		if (ws_feed(w, (const char *)data + at, size - at < step ? size - at : step))
			break;
	ws_ping(w);
	ws_close(w, 1001, "bye");
	ws_flush(w);
	ws_free(w);
	return 0;
}
