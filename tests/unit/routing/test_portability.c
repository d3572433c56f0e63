/* What is believed of what a portability server says. */
#include "harness.h"
#include "routing/portability_i.h"

#include <string.h>

static int test_telephone_uris(void)
{
	static const struct {
		const char *uri, *number, *network;
		int status;
	} cases[] = {
	    {"tel:+15551234;npdi;rn=+1-555-9999", "15559999", "", 0},
	    {"TEL:+15551234;RN=(030)123.45;spn=Lab Net", "03012345", "Lab Net", 0},
	    {"tel:+15551234;npdi", "", "", 0},
	    {"tel:+15551234", NULL, NULL, ST_PARSE},
	    {"sip:+15551234;rn=15559999@h", NULL, NULL, ST_PARSE},
	    {"tel:+15551234;rn=12", NULL, NULL, ST_PARSE},
	    {"tel:+15551234;rn=1555x", NULL, NULL, ST_PARSE},
	    {"tel:+15551234;rn=", NULL, NULL, ST_PARSE},
	    {"tel:+15551234;rn=123;rn=456", NULL, NULL, ST_PARSE},
	    {"tel:+15551234;rn=123456789012345678901", NULL, NULL, ST_PARSE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct portability p = {.number = "as it was"};
		EXPECT_INT(portability_tel(sv_of(cases[i].uri), &p), cases[i].status);
		EXPECT_STR(p.number, cases[i].number ? cases[i].number : "as it was");
		if (!cases[i].status)
			EXPECT_STR(p.network, cases[i].network);
		if (!cases[i].status)
			EXPECT_INT(p.state, *p.number ? PORTABILITY_PORTED : PORTABILITY_NOT);
	}
	return 0;
}

static int test_bodies(void)
{
	static const struct portability_form json = {"data.lrn", "op", ""}, text = {"", "", "^\\s*\\+?(\\d*)\\s*$"},
	                                     xml = {"", "", "<rn>(.*?)</rn>"};
	static const struct {
		const struct portability_form *form;
		const char *body, *number;
		int status;
	} cases[] = {
	    {&text, "+4930123\r\n", "4930123", 0},
	    {&text, "  ", "", 0},
	    {&text, "<html>oops</html>", NULL, ST_PARSE},
	    {&text, "1234 5678", NULL, ST_PARSE},
	    {&text, "12", NULL, ST_PARSE},
	    {&xml, "<a><rn>49 30-123</rn></a>", "4930123", 0},
	    {&xml, "<a><rn></rn></a>", "", 0},
	    {&xml, "<a><rn>${hupall()}</rn></a>", NULL, ST_PARSE},
	    {&json, "{\"data\":{\"lrn\":\"004930\"},\"op\":\"Lab\\u0007 net\"}", "004930", 0},
	    {&json, "{\"data\":{\"lrn\":null}}", "", 0},
	    {&json, "{\"data\":{}}", "", 0},
	    {&json, "{\"data\":{\"lrn\":4930}}", NULL, ST_PARSE},
	    {&json, "{\"data\":{\"lrn\":\"493x\"}}", NULL, ST_PARSE},
	    {&json, "[]", NULL, ST_PARSE},
	    {&json, "no json", NULL, ST_PARSE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct portability p = {.number = "as it was"};
		EXPECT_INT(portability_body(cases[i].form, sv_of(cases[i].body), &p), cases[i].status);
		EXPECT_STR(p.number, cases[i].number ? cases[i].number : "as it was");
		if (strstr(cases[i].body, "Lab"))
			EXPECT_STR(p.network, "Lab net");
	}
	return 0;
}

TEST_MAIN({"telephone URIs", test_telephone_uris, TEST_OOM}, {"bodies", test_bodies, 0})
