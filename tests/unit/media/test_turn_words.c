/* TURN servers in words: which there are, and the credentials that end (the passwords are openssl's). */
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include "media/ctl/turn_words.h"
#include <string.h>

static int test_servers(void)
{
	static const struct {
		const char *text;
		int status;
		const char *host;
		uint16_t port;
		enum turn_by by;
	} rows[] = {
	    {"turn.example.net", ST_OK, "turn.example.net", 3478, TURN_BY_UDP},
	    {" 192.0.2.1:5000 ", ST_OK, "192.0.2.1", 5000, TURN_BY_UDP},
	    {"turn:h?transport=udp", ST_OK, "h", 3478, TURN_BY_UDP},
	    {"TURN:h:1?transport=TCP", ST_OK, "h", 1, TURN_BY_TCP},
	    {"turns:h", ST_OK, "h", 5349, TURN_BY_TLS},
	    {"turns:h:443?transport=tcp", ST_OK, "h", 443, TURN_BY_TLS},
	    {"turn:[2001:db8::1]:3000", ST_OK, "2001:db8::1", 3000, TURN_BY_UDP},
	    {"[2001:db8::1]", ST_OK, "2001:db8::1", 3478, TURN_BY_UDP},
	    {"turns:h?transport=udp", ST_OK, "h", 5349, TURN_BY_DTLS},
	    {"turns:h?transport=sctp", ST_UNSUPPORTED, NULL, 0, 0},
	    {"turn:h?transport=sctp", ST_UNSUPPORTED, NULL, 0, 0},
	    {"", ST_PARSE, NULL, 0, 0},
	    {"turn:", ST_PARSE, NULL, 0, 0},
	    {"turn::3478", ST_PARSE, NULL, 0, 0},
	    {"h:0", ST_PARSE, NULL, 0, 0},
	    {"h:65536", ST_PARSE, NULL, 0, 0},
	    {"h:x", ST_PARSE, NULL, 0, 0},
	    {"[2001:db8::1", ST_PARSE, NULL, 0, 0},
	    {"[2001:db8::1]3478", ST_PARSE, NULL, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct turn_server s = {0};
		EXPECT_INT(turn_server_read(rows[i].text, &s), rows[i].status);
		if (!rows[i].status) {
			EXPECT_STR(s.host, rows[i].host);
			EXPECT_INT(s.port, rows[i].port);
			EXPECT_INT(s.by, rows[i].by);
		}
		mem_free(s.host);
	}
	return 0;
}

static int test_leases(void)
{
	char name[TURN_USER_MAX + 1];
	struct turn_lease l;
	EXPECT_INT(turn_lease_make("a-shared-one", "lab", 1700000000, &l), ST_OK);
	EXPECT_STR(l.username, "1700000000:lab");
	EXPECT_STR(l.password, "PfRmO33K8WxQP7IBpit4KM/CAPc=");
	EXPECT_INT(turn_lease_make("a-shared-one", "", 1700000000, &l), ST_OK);
	EXPECT_STR(l.username, "1700000000");
	EXPECT_STR(l.password, "xRJvj5Ml9RUWLwIg5aWRt1pdJHc=");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	EXPECT_INT(turn_lease_make("a-shared-one", name, 1700000000, &l), ST_INVAL);
	return 0;
}

TEST_MAIN({"servers", test_servers}, {"leases", test_leases})
