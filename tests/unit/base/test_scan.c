/* base/scan against a loop over the bytes, for every length, place of an odd byte and byte. */
#include "base/scan.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 70 };

static size_t slow_plain(const unsigned char *p, size_t n, unsigned char a, unsigned char b)
{
	size_t i = 0;
	while (i < n && p[i] >= ' ' && p[i] <= '~' && p[i] != a && p[i] != b)
		i++;
	return i;
}

static size_t slow_word(const unsigned char *p, size_t n)
{
	size_t i = 0;
	while (i < n && p[i] && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", p[i]))
		i++;
	return i;
}

static int one_text(const char *p, size_t n)
{
	EXPECT_INT(scan_plain(p, n, '"', '\\'), slow_plain((const unsigned char *)p, n, '"', '\\'));
	EXPECT_INT(scan_plain(p, n, 0, 0), slow_plain((const unsigned char *)p, n, 0, 0));
	char copy[LENGTH_MAX + SCAN_STEP];
	size_t run = scan_copy_plain(copy, p, n, '"', '\\');
	EXPECT_INT(run, slow_plain((const unsigned char *)p, n, '"', '\\'));
	EXPECT(!memcmp(copy, p, run));
	EXPECT_INT(scan_word(p, n), slow_word((const unsigned char *)p, n));
	EXPECT_INT(scan_copy_word(copy, p, n), slow_word((const unsigned char *)p, n));
	EXPECT(!memcmp(copy, p, n));
	return 0;
}

static int test_scan(void)
{
	for (size_t n = 0; n <= LENGTH_MAX; n++) {
		char *text = malloc(n ? n : 1); /* of its exact size: reading on is seen by the sanitizer */
		memset(text, 'a', n);
		EXPECT(!one_text(text, n));
		for (size_t at = 0; at < n; at++) {
			for (int c = 0; c < 256; c++) {
				text[at] = (char)c;
				if (at + 3 < n)
					text[at + 3] = (char)(c * 7);
				EXPECT(!one_text(text, n));
			}
			memset(text, 'a', n);
		}
		free(text);
	}
	return 0;
}

TEST_MAIN({"scan", test_scan})
