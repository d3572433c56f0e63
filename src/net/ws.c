/* wslay's event interface pulls bytes by a callback and pushes frames by another; between, the buffer just fed. */
#include "net/ws.h"
#include "base/mem.h"
#include "base/rand.h"
#include "text/base64.h"
#include "text/digest.h"

#include <string.h>
#include <wslay/wslay.h>

enum { QUEUED_MAX_COUNT = 1024 };

struct ws {
	wslay_event_context_ptr ctx;
	const struct ws_handlers *h;
	void *arg;
	const char *in; /* what is left of the bytes being fed */
	size_t in_n;
	size_t held; /* fed since the last whole message */
	bool is_client, is_broken, is_closing /* by us: the far side has to answer */;
};

int ws_accept_key(struct sv key, char out[WS_ACCEPT_CHARS + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 4.2.2 */
	uint8_t digest[DIGEST_SHA1_BYTES];
	struct buf raw, text;
	int st;
	buf_init(&raw);
	buf_init(&text);
	st = base64_decode(&raw, key);
	if (!st && raw.n != 16)
		st = ST_PARSE;
	if (st)
		goto out;
	buf_clear(&raw);
	buf_addv(&raw, key);
	buf_adds(&raw, guid);
	digest_sha1(raw.p, raw.n, digest);
	st = base64_encode(&text, digest, sizeof(digest));
	if (!st && text.n == WS_ACCEPT_CHARS)
		memcpy(out, text.p, WS_ACCEPT_CHARS + 1);
out:
	buf_fini(&raw);
	buf_fini(&text);
	return st ? ST_PARSE : ST_OK;
}

static ssize_t recv_cb(wslay_event_context_ptr ctx, uint8_t *data, size_t n, int flags, void *arg)
{
	struct ws *w = arg;
	if (!w->in_n) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > w->in_n)
		n = w->in_n;
	memcpy(data, w->in, n);
	w->in += n, w->in_n -= n;
	return (ssize_t)n;
}

static ssize_t send_cb(wslay_event_context_ptr ctx, const uint8_t *data, size_t n, int flags, void *arg)
{
	struct ws *w = arg;
	if (!w->h->send(w, (struct sv){(const char *)data, n}, w->arg))
		return (ssize_t)n;
	wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static void msg_cb(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct ws *w = arg;
	if (wslay_is_ctrl_frame(m->opcode)) { /* perhaps amid a message */
		size_t frame = m->msg_length + (w->is_client ? 2 : 6);
		w->held -= frame < w->held ? frame : w->held;
		return;
	}
	w->held = w->in_n; /* the begin of the next one */
	w->h->on_message(w, m->opcode == WSLAY_TEXT_FRAME, (struct sv){(const char *)m->msg, m->msg_length}, w->arg);
}

static int mask_cb(wslay_event_context_ptr ctx, uint8_t *out, size_t n, void *arg)
{
	rand_bytes(out, n);
	return 0;
}

static int ws_new(struct ws **out, bool is_client, size_t max_message_bytes, const struct ws_handlers *h, void *arg)
{
	static const struct wslay_event_callbacks callbacks = {.recv_callback = recv_cb,
	    .send_callback = send_cb,
	    .on_msg_recv_callback = msg_cb,
	    .genmask_callback = mask_cb};
	struct ws *w = mem_zalloc(sizeof(*w));
	if (!w)
		return ST_NOMEM;
	w->h = h, w->arg = arg;
	w->is_client = is_client;
	if (is_client ? wslay_event_context_client_init(&w->ctx, &callbacks, w)
	              : wslay_event_context_server_init(&w->ctx, &callbacks, w)) {
		mem_free(w);
		return ST_NOMEM;
	}
	wslay_event_config_set_max_recv_msg_length(w->ctx, max_message_bytes);
	*out = w;
	return ST_OK;
}

int ws_server_new(struct ws **out, size_t max_message_bytes, const struct ws_handlers *h, void *arg)
{
	return ws_new(out, false, max_message_bytes, h, arg);
}

int ws_client_new(struct ws **out, size_t max_message_bytes, const struct ws_handlers *h, void *arg)
{
	return ws_new(out, true, max_message_bytes, h, arg);
}

void ws_set_max_message(struct ws *w, size_t bytes)
{
	wslay_event_config_set_max_recv_msg_length(w->ctx, bytes);
}

void ws_free(struct ws *w)
{
	if (!w)
		return;
	wslay_event_context_free(w->ctx);
	mem_free(w);
}

static bool is_over(const struct ws *w)
{
	return w->is_broken ||
	       (wslay_event_get_close_sent(w->ctx) && (wslay_event_get_close_received(w->ctx) || !w->is_closing)) ||
	       (!wslay_event_want_read(w->ctx) && !wslay_event_want_write(w->ctx));
}

int ws_flush(struct ws *w)
{
	if (wslay_event_want_write(w->ctx) && wslay_event_send(w->ctx))
		w->is_broken = true;
	return is_over(w) ? ST_CLOSED : ST_OK;
}

int ws_feed(struct ws *w, const char *p, size_t n)
{
	w->in = p, w->in_n = n;
	w->held += n;
	while (w->in_n && wslay_event_want_read(w->ctx) && !w->is_broken)
		if (wslay_event_recv(w->ctx))
			w->is_broken = true;
	w->in_n = 0;
	int st = ws_flush(w);
	/* who asks and asks and reads no answer */
	if (!st && wslay_event_get_queued_msg_count(w->ctx) > QUEUED_MAX_COUNT)
		st = ST_CLOSED;
	return st;
}

static int message_send(struct ws *w, uint8_t opcode, struct sv bytes)
{
	struct wslay_event_msg m = {opcode, (const uint8_t *)bytes.p, bytes.n};
	if (wslay_event_queue_msg(w->ctx, &m))
		return ST_CLOSED;
	return ws_flush(w);
}

int ws_send_text(struct ws *w, struct sv text)
{
	return message_send(w, WSLAY_TEXT_FRAME, text);
}

int ws_send_binary(struct ws *w, struct sv bytes)
{
	return message_send(w, WSLAY_BINARY_FRAME, bytes);
}

int ws_ping(struct ws *w)
{
	return message_send(w, WSLAY_PING, SV_NONE);
}

void ws_close(struct ws *w, uint16_t code, const char *reason)
{
	size_t n = strlen(reason);
	w->is_closing = true;
	if (!wslay_event_queue_close(w->ctx, code, (const uint8_t *)reason, n < 123 ? n : 123))
		ws_flush(w);
}

size_t ws_queued_bytes(const struct ws *w)
{
	return wslay_event_get_queued_msg_length(w->ctx);
}

size_t ws_held_bytes(const struct ws *w)
{
	return w->held;
}
