/* Any text as the lines of an m= section: what is read as fingerprints and roles can be answered, and is read again as
 * the same.
 * Parser: sdp/dtls.c */
#include "base/check.h"
#include "base/mem.h"
#include "sdp/dtls.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[SDP_PRINT_MAX];
	enum sdp_hash h;
	struct buf text;
	struct sdp *s = NULL;
	struct sdp_dtls d;
	const char *why;

	if (sdp_print_read((struct sv){(const char *)data, size}, &h, bytes))
		CHECK(size >= sdp_hash_bytes(h) * 3);
	buf_init(&text);
	buf_adds(&text, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 "
	                "UDP/TLS/RTP/SAVPF 0\r\n");
	buf_add(&text, data, size);
	if (!text.failed && text.n <= SDP_TEXT_MAX && !sdp_parse_new(buf_sv(&text), &s) && s->media_count) {
		if (sdp_dtls_read(s, 0, &d, &why)) {
			CHECK(d.count >= 1 && d.count <= SDP_PRINTS_MAX && d.setup != SDP_SETUP_HOLDCONN && !why);
			CHECK(sdp_setup_answer(d.setup, SDP_SETUP_NONE) == SDP_SETUP_ACTIVE ||
			      sdp_setup_answer(d.setup, SDP_SETUP_NONE) == SDP_SETUP_PASSIVE);
		} else {
			CHECK(why);
		}
	}
	mem_free(s);
	buf_fini(&text);
	return 0;
}
