/* A datagram: what parses is attributes to its last byte, and every reader stays within it; what we make of them parses
 * again and is proved; a line of the spool. */
#include "base/check.h"
#include "base/mem.h"
#include "radius/radius_i.h"

#include <string.h>

static void attrs_try(struct sv attrs)
{
	struct rad_it it = {.rest = attrs};
	struct rad_attr a;
	struct rad_dict d;
	struct buf text;
	size_t count = 0;
	buf_init(&text);
	while (rad_next(&it, &a)) {
		CHECK(++count <= RAD_PACKET_MAX_BYTES);
		CHECK(!a.value.n || (a.value.p >= attrs.p && a.value.p + a.value.n <= attrs.p + attrs.n));
		if (!rad_dict_of(a.vendor, a.type, &d))
			d = (struct rad_dict){NULL, a.vendor, a.type, RAD_BYTES};
		buf_clear(&text);
		rad_value_text(&d, a.value, &text);
		for (size_t i = 0; d.form == RAD_TEXT && i < text.n; i++)
			CHECK((unsigned char)text.p[i] >= ' ');
	}
	buf_fini(&text);
}

static void answer_try(const struct rad_packet *p)
{
	uint8_t out[RAD_PACKET_MAX_BYTES];
	struct rad_packet again;
	size_t n;
	struct sv rest = p->attrs;
	if (memchr(rest.p ? rest.p : "", RAD_MESSAGE_AUTHENTICATOR, rest.n))
		return; /* two of them are none */
	if (rad_answer_make(out, &n, p->code, p->id, p->authenticator, p->attrs, SV("secret")))
		return;
	CHECK(!rad_parse(&again, out, n));
	CHECK(rad_answer_check(&again, p->authenticator, SV("secret")) == RAD_PROVED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) NO_ROLE_CHECK
{
	struct rad_packet p;
	struct buf attrs, line;
	char session[40];
	int64_t us;
	if (!rad_parse(&p, data, n)) {
		CHECK(p.whole.n <= n && p.attrs.n + RAD_HEAD_BYTES == p.whole.n);
		attrs_try(p.attrs);
		(void)rad_answer_check(&p, data, SV("secret"));
		(void)rad_request_check(&p, SV("secret"));
		answer_try(&p);
	}
	buf_init(&attrs), buf_init(&line);
	if (!rad_line_read((struct sv){(const char *)data, n}, session, &us, &attrs)) {
		CHECK(!rad_line_put(&line, session, us, buf_sv(&attrs)));
		attrs_try(buf_sv(&attrs));
	}
	buf_fini(&attrs), buf_fini(&line);
	return 0;
}
