/* Messages as text: headers, what callers' words become in them, bodies, addresses of envelopes. */
#include "base/str.h"
#include "harness.h"
#include "mail/mail_i.h"
#include "text/mark.h"

#include <string.h>

/* A text with each %s replaced by the value, marked. */
static const char *with(struct buf *b, const char *text, const char *value)
{
	buf_clear(b);
	for (const char *p = text; *p; p++)
		if (p[0] == '%' && p[1] == 's')
			mark_put(b, sv_of(value)), p++;
		else
			buf_addc(b, *p);
	return b->p;
}

static int test_headers(void)
{
	static const struct {
		const char *name, *text, *value, *want;
	} rows[] = {
	    {"Subject", "Voice from \"%s\"", "Bob", "Subject: Voice from \"Bob\"\n"},
	    {"Subject", "of %s", "a\r\nBcc: x@y", "Subject: of a  Bcc: x@y\n"},
	    {"From", "\"%s\" <1@h>", "Bob Roe", "From: \"Bob Roe\" <1@h>\n"},
	    {"From", "\"%s\" <1@h>", "x\" <boss@corp>, \"", "From: \"x' _boss_corp__ '\" <1@h>\n"},
	    {"From", "\"%s\" <1@h>", "J\xc3\xb6rg", "From: =?UTF-8?B?SsO2cmc=?= <1@h>\n"},
	    {"To", "<%s@h>", "1>,<2", "To: <1___2@h>\n"},
	    {"Subject", "%s", "\xe7\x8e\x8b", "Subject: =?UTF-8?B?546L?=\n"},
	};
	struct buf text, out;
	buf_init(&text), buf_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&out);
		EXPECT(!mail_header_put(&out, sv_of(rows[i].name), sv_of(with(&text, rows[i].text, rows[i].value))));
		EXPECT_STR(out.p, rows[i].want);
	}
	buf_fini(&text), buf_fini(&out);
	return 0;
}

static int test_long_names_are_folded(void)
{
	struct buf out;
	buf_init(&out);
	EXPECT(!mail_header_put(&out, SV("Subject"),
	    SV("\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e\xe7\x8e\x8b\xe5\xb0\x8f\xe6"
	       "\x98"
	       "\x8e\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e")));
	struct sv rest = buf_sv(&out), line;
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		EXPECT(line.n <= 76 + strlen("Subject: "));
	}
	buf_fini(&out);
	return 0;
}

static int test_parts(void)
{
	struct buf text, out;
	struct mail_parts p = {"From: a\nDate:\nBcc: x\nContent-Type: y\n", NULL, "D", "id@h", "=_b", false};
	buf_init(&text), buf_init(&out);
	p.body = with(&text, "Content-Type: text/html; charset=ISO-8859-1\n\n<b>%s</b>\n%s\n", "<i>\n--=_b--");
	EXPECT(!mail_head_put(&out, &p));
	EXPECT_STR(out.p, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_b\"\nFrom: a\nDate: D\n"
	                  "Message-ID: <id@h>\n\n--=_b\nContent-Type: text/html; charset=ISO-8859-1\n\n"
	                  "<b>&lt;i&gt; --=_b--</b>\n&lt;i&gt; --=_b--\n");
	buf_clear(&out);
	p.body = with(&text, "%s says\n", "--=_b");
	EXPECT(!mail_head_put(&out, &p));
	EXPECT(strstr(out.p, "\n\n --=_b says\n") != NULL);
	buf_clear(&out);
	p.body = with(
	    &text, "Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 7bit\n\n%s\n", "\xc3\xb6");
	EXPECT(!mail_head_put(&out, &p));
	EXPECT(strstr(out.p,
	           "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n\xc3\xb6\n") != NULL);
	buf_fini(&text), buf_fini(&out);
	return 0;
}

static int test_addresses(void)
{
	static const char *const good[] = {"a@b", "1005@127.0.0.1", "x.y+z@mail.example"};
	static const char *const bad[] = {
	    "", "a", "@b", "a@", "-oX@b", "a@b@c", "a b@c", "a@b\r\nx", "<a@b>", "a@b,c@d", "a;@b"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		EXPECT(mail_is_address(sv_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!mail_is_address(sv_of(bad[i])));
	return 0;
}

TEST_MAIN({"headers", test_headers, 0}, {"long names are folded", test_long_names_are_folded, 0},
    {"parts", test_parts, 0}, {"addresses", test_addresses, 0})
