/* Any bytes as header lines of a REGISTER: what a phone says of flows (instance, reg-id) and of proxies on its way
 * (Path) becomes bounded text that is one address in a dial string, and comes out of it as the Route that went in.
 * Parser: endpoint/sip/reg/outbound.c, endpoint/sip/reg/gruu.c, endpoint/sip/uri/dialstring.c */
#include "base/check.h"
#include "base/mem.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void contacts_read(const struct sip_msg *m)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	struct reg_outbound flow;
	role_assert_ctl();
	sip_list_start(&it, m, SIP_HDR_CONTACT);
	while (sip_list_next(&it)) {
		if (sip_nameaddr_parse(&na, it.item) || na.is_star)
			continue;
		int code = outbound_read(m, &na, &flow);
		CHECK(code == 0 || code == 400 || code == 439);
		CHECK(!flow.reg_id || (flow.instance.n && !code));
		const struct reg *r;
		CHECK(gruu_find(&na.uri, &r) != ST_OK && !r); /* nobody is registered */
		CHECK(flow.instance.n <= 256 && !memchr(flow.instance.p ? flow.instance.p : "", '>', flow.instance.n));
	}
}

static void path_round(struct sv path, size_t count)
{
	struct sofia_target t;
	struct buf b;
	struct sip_dst dst = {.transport = SIP_TRANSPORT_NONE};
	char *route = NULL;
	buf_init(&b);
	buf_adds(&b, "internal/sip:1000@10.0.0.1;fs_nat=yes;fs_path=");
	contact_escape(&b, path);
	CHECK(sofia_target_parse(&t, buf_sv(&b)) == ST_OK && t.is_nat && !strcmp(t.user, "1000"));
	CHECK(!t.fs_path || sv_is(path, t.fs_path));
	sofia_target_route(&t, &route, &dst);
	CHECK(!route || sip_is_nameaddr_list(sv_of(route)));
	CHECK(count < 2 || route);
	mem_free(route);
	sofia_target_fini(&t);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	struct buf b, path;
	size_t count;
	role_set(ROLE_CTL);
	buf_init(&b);
	buf_init(&path);
	buf_adds(&b, "REGISTER sip:lab SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@lab>;tag=1\r\n"
	             "To: <sip:a@lab>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\nSupported: outbound, path\r\n");
	buf_add(&b, data, size);
	buf_adds(&b, "\r\n\r\n");
	if (!sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, b.p, b.n, 0) && !m.has_folds) {
		contacts_read(&m);
		if (!outbound_path_put(&m, &path, &count) && count) {
			CHECK(count <= 8 && path.n <= 1024);
			path_round(buf_sv(&path), count);
		}
	}
	buf_fini(&path);
	buf_fini(&b);
	return 0;
}
