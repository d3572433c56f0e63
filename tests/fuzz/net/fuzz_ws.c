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
	else
		ws_send_binary(w, message);
}

/* Both sides read the same bytes: a client's frames are masked, a server's are not. */
static ON_CTL void side(bool is_client, const uint8_t *data, size_t size)
{
	static const struct ws_handlers handlers = {.on_message = wire_message, .send = wire_send};
	struct wire x = {.full_each = data[0] >> 6};
	struct ws *w;
	CHECK(!(is_client ? ws_client_new(&w, 1, &handlers, &x) : ws_server_new(&w, 1, &handlers, &x)));
	ws_set_max_message(w, 100);
	size_t step = (data[0] & 63) + 1;
	for (size_t at = 1; at < size; at += step)
		if (ws_feed(w, (const char *)data + at, size - at < step ? size - at : step))
			break;
	ws_ping(w);
	ws_close(w, 1001, "bye");
	CHECK(ws_send_text(w, SV("late")) == ST_CLOSED);
	ws_flush(w);
	CHECK(ws_held_bytes(w) <= size);
	ws_queued_bytes(w);
	ws_free(w);
	ws_free(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[WS_ACCEPT_CHARS + 1];
	role_set(ROLE_CTL);
	role_assert_ctl();
	ws_accept_key((struct sv){(const char *)data, size}, key);
	if (!size)
		return 0;
	side(false, data, size);
	side(true, data, size);
	return 0;
}
