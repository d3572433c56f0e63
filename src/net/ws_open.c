/* The server reads its request by net/http_reader.h; the client's answer is little enough to be looked at here: one
 * status line and headers, of which four count. */
#include "net/ws_open.h"
#include "base/rand.h"
#include "net/http_reader.h"
#include "text/base64.h"

static int refuse(struct buf *out, int status, const char *headers, const char *why)
{
	buf_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s\n",
	    status, http_status_phrase(status), headers, strlen(why) + 1, why);
	return ST_DENIED;
}

int ws_open_answer(const struct http_request *q, const char *protocol, const char *origins, struct buf *out)
{
	char accept[WS_ACCEPT_CHARS + 1];
	struct sv origin = http_header_get(q, "Origin");
	if (!sv_is(q->method, "GET"))
		return refuse(out, 405, "Allow: GET\r\n", "only WebSocket is spoken here");
	if (q->is_http10 || !q->wants_upgrade || !http_header_has(q, "Upgrade", "websocket") ||
	    !sv_is(http_header_get(q, "Sec-WebSocket-Version"), "13") ||
	    ws_accept_key(http_header_get(q, "Sec-WebSocket-Key"), accept))
		return refuse(out, 426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
		    "this is spoken over WebSocket, version 13");
	if (protocol && !http_header_has(q, "Sec-WebSocket-Protocol", protocol))
		return refuse(out, 400, "", "the subprotocol that is spoken here is not among those offered");
	if (origins && *origins && origin.n && !sv_list_has(sv_of(origins), ',', origin))
		return refuse(out, 403, "", "pages of this origin may not open a WebSocket here");
	buf_printf(out,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
	    accept, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "", protocol ? "\r\n" : "");
	return out->failed ? ST_NOMEM : ST_OK;
}

void ws_open_request(struct buf *out, const char *host, const char *path, const char *protocol, const char *headers,
    char key[WS_KEY_CHARS + 1])
{
	uint8_t raw[16];
	struct buf text;
	rand_bytes(raw, sizeof(raw));
	buf_init(&text);
	base64_encode(&text, raw, sizeof(raw));
	memset(key, 0, WS_KEY_CHARS + 1);
	if (text.n == WS_KEY_CHARS)
		memcpy(key, text.p, WS_KEY_CHARS);
	buf_fini(&text);
	buf_printf(out,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %s\r\n%s%s%s%s\r\n",
	    path, host, key, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
	    protocol ? "\r\n" : "", headers ? headers : "");
}

/* The end of the head, behind its empty line; 0: it has not come. */
static size_t head_bytes(struct sv in)
{
	for (size_t i = 3; i < in.n; i++)
		if (in.p[i] == '\n' && !memcmp(in.p + i - 3, "\r\n\r\n", 4))
			return i + 1;
	return 0;
}

static struct sv header(struct sv head, const char *name)
{
	struct sv line, n, value;
	while (head.n) {
		sv_split(head, '\n', &line, &head);
		if (sv_split(line, ':', &n, &value) && sv_isi(n, name))
			return sv_trim(value);
	}
	return SV_NONE;
}

int ws_open_answered(struct sv in, const char *key, const char *protocol, size_t *used, int *code)
{
	static const char start[] = "HTTP/1.1 ";
	char accept[WS_ACCEPT_CHARS + 1];
	uint32_t status = 0;
	size_t n = head_bytes(in), seen = in.n < sizeof(start) - 1 ? in.n : sizeof(start) - 1;
	*code = 0;
	if (seen && memcmp(in.p, start, seen) != 0)
		return ST_PARSE;
	if (!n)
		return in.n > WS_OPEN_HEAD_MAX_BYTES ? ST_PARSE : ST_AGAIN;
	struct sv head = sv_sub(in, 0, n);
	if (sv_u32(sv_sub(head, sizeof(start) - 1, 3), &status))
		return ST_PARSE;
	*code = (int)status;
	if (status != 101 || !sv_isi(header(head, "Upgrade"), "websocket") || ws_accept_key(sv_of(key), accept) ||
	    !sv_is(header(head, "Sec-WebSocket-Accept"), accept) ||
	    !sv_isi(header(head, "Sec-WebSocket-Protocol"), protocol ? protocol : ""))
		return ST_DENIED;
	*used = n;
	return ST_OK;
}
