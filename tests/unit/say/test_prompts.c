/* Names of prompts: which are prompts, which recordings and words stand in. */
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "say/prompt_i.h"
#include "say/say.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char asterisk[] = "/usr/share/asterisk/sounds/en_US_f_Allison";

static int names(void)
{
	static const struct {
		const char *path, *dir, *base, *root; /* dir NULL: no prompt */
	} rows[] = {
	    {"/s/en/us/callie/ivr/ivr-hello.wav", "ivr", "ivr-hello", "/s/en/us/callie"},
	    {"/s/ivr/8000/ivr-hello.wav", "ivr", "ivr-hello", "/s"},
	    {"/s/digits/1", "digits", "1", "/s"},
	    {"/s/phonetic-ascii/97.gsm", "phonetic-ascii", "97", "/s"},
	    {"/s/ivr/ivr-pin_or_extension_is-invalid.wav", "ivr", "ivr-pin_or_extension_is-invalid", "/s"},
	    {"/s/ivr/sub/x.wav"},
	    {"/s/custom/x.wav"},
	    {"/s/ivr/"},
	    {"/s/ivr/.wav"},
	    {"/s/ivr/a b.wav"},
	    {"/s/ivr/a$(x).wav"},
	    {"ivr"},
	    {""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prompt_name n;
		size_t root_bytes = 0;
		bool is_prompt = prompt_name_of(rows[i].path, &n, &root_bytes);
		if (is_prompt != (rows[i].dir != NULL)) {
			test_fail(__FILE__, __LINE__, "%s", rows[i].path);
			return -1;
		}
		if (!is_prompt)
			continue;
		EXPECT(sv_is(n.dir, rows[i].dir) && sv_is(n.base, rows[i].base));
		EXPECT(sv_is((struct sv){rows[i].path, root_bytes}, rows[i].root));
	}
	return 0;
}

static bool name_of(const char *text, struct prompt_name *n)
{
	char path[200];
	size_t root_bytes;
	snprintf(path, sizeof(path), "/s/%s.wav", text);
	if (!prompt_name_of(path, n, &root_bytes))
		return false;
	/* the views must not point into path, which goes away */
	n->base = sv_of(strchr(text, '/') + 1);
	n->dir = (struct sv){text, (size_t)(strchr(text, '/') - text)};
	return true;
}

static int words(void)
{
	static const struct {
		const char *name, *asterisk, *en, *zh; /* NULL: none */
	} rows[] = {
	    {"digits/20", "digits/20", "20", "20"},
	    {"digits/7", "digits/7", "7", "\u4e03"},
	    {"digits/h-2", "digits/h-2", "2nd", NULL},
	    {"digits/h-13", "digits/h-13", "13th", NULL},
	    {"digits/dot", "letters/dot", "dot", "\u70b9"},
	    {"digits/point", NULL, "point", "\u70b9"},
	    {"digits/10000", "digits/10000", "10000", "\u4e07"},
	    {"time/day-2", "digits/day-2", "Tuesday", "\u661f\u671f\u4e8c"},
	    {"time/mon-11", "digits/mon-11", "December", NULL},
	    {"time/hour", NULL, "hour", "\u70b9"},
	    {"time/hours", "hours", "hours", "\u5c0f\u65f6"},
	    {"time/p-m", "digits/p-m", "P M", "\u4e0b\u5348"},
	    {"currency/cents-per-minute", NULL, "cents per minute", NULL},
	    {"ascii/97", "letters/a", "A.", "a"},
	    {"ascii/42", "digits/star", "star", "\u661f\u53f7"},
	    {"ascii/58", "letters/ascii58", "colon", "\u5192\u53f7"},
	    {"ascii/200", NULL, NULL, NULL},
	    {"phonetic-ascii/122", "phonetic/z_p", "zulu", NULL},
	    {"ivr/ivr-you_are_number", NULL, "you are number", "\u60a8\u6392\u5728\u7b2c"},
	    {"ivr/ivr-wakey_wakey_sunshine", NULL, "Wakey wakey, sunshine!", NULL},
	    {"voicemail/vm-goodbye", "vm-goodbye", "goodbye", "\u518d\u89c1"},
	    {"conference/conf-alone", "conf-onlyperson", "You are the only person in this conference.",
	        "\u4f1a\u8bae\u4e2d\u53ea\u6709\u60a8\u4e00\u4eba"},
	    {"misc/sorry", "sorry", "sorry", "\u5bf9\u4e0d\u8d77"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prompt_name n;
		struct buf a, e, z;
		buf_init(&a), buf_init(&e), buf_init(&z);
		EXPECT(name_of(rows[i].name, &n));
		EXPECT_INT(prompt_asterisk_name(&n, &a), rows[i].asterisk != NULL);
		EXPECT_INT(prompt_words_en(&n, &e), rows[i].en != NULL);
		EXPECT_INT(prompt_words_zh(&n, &z), rows[i].zh != NULL);
		if (rows[i].asterisk)
			EXPECT_STR(a.p, rows[i].asterisk);
		if (rows[i].en)
			EXPECT_STR(e.p, rows[i].en);
		if (rows[i].zh)
			EXPECT_STR(z.p, rows[i].zh);
		buf_fini(&a), buf_fini(&e), buf_fini(&z);
	}
	return 0;
}

/* Everything English can say has a recording in Debian's package or words to speak. */
static int all_that_is_said(void)
{
	static const struct {
		enum say_type type;
		const char *text;
	} said[] = {{SAY_NUMBER, "-1234567890.5"}, {SAY_CURRENCY, "-1.01"}, {SAY_CURRENCY, "2.02"},
	    {SAY_TIME_MEASUREMENT, "1:01:01"}, {SAY_TIME_MEASUREMENT, "2:02:02"}, {SAY_CURRENT_DATE_TIME, "0"},
	    {SAY_NAME_SPELLED, "abcdefghijklmnopqrstuvwxyz0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
	    {SAY_NAME_PHONETIC, "abcdefghijklmnopqrstuvwxyz"}};
	size_t recorded = 0, total = 0;

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct say_args args = {.type = said[i].type, .method = SAY_PRONOUNCED, .now_s = 1795264245};
		struct buf row, out;
		struct sv rest, one;
		buf_init(&row), buf_init(&out);
		EXPECT_INT(say_language_find("en")->say(&args, sv_of(said[i].text), &row), ST_OK);
		for (rest = buf_sv(&row); rest.n; total++) {
			struct prompt_name n;
			char path[300];
			sv_split(rest, '!', &one, &rest);
			char *text = sv_dup(one);
			EXPECT(name_of(text, &n));
			buf_clear(&out);
			if (!prompt_words_en(&n, &out))
				test_fail(__FILE__, __LINE__, "no words for %s", text);
			buf_clear(&out);
			if (prompt_asterisk_name(&n, &out)) {
				recorded++;
				snprintf(path, sizeof(path), "%s/%s.wav", asterisk, out.p);
				if (!access(asterisk, R_OK) && access(path, R_OK)) {
					test_fail(__FILE__, __LINE__, "%s stands for no file (%s)", path, text);
					return -1;
				}
			}
			mem_free(text);
		}
		buf_fini(&row), buf_fini(&out);
	}
	EXPECT(total > 100 && recorded * 10 > total * 9);
	return 0;
}

static size_t files_in(const char *dir, bool *has_first, bool *has_last)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	*has_first = *has_last = false;
	for (struct dirent *e; d && (e = readdir(d));) {
		*has_first = *has_first || !strcmp(e->d_name, "00.wav");
		*has_last = *has_last || !strcmp(e->d_name, "39.wav");
		n += e->d_name[0] != '.' || !strncmp(e->d_name, ".new", 4);
	}
	if (d)
		closedir(d);
	return n;
}

static int file_make(const char *dir, const char *name, size_t bytes, int64_t age_s)
{
	char path[300];
	struct timespec times[2];
	struct stat st;
	FILE *f;

	EXPECT(!stat(dir, &st));
	times[0] = times[1] = (struct timespec){.tv_sec = st.st_mtime - age_s};
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	EXPECT(f);
	for (size_t i = 0; i < bytes; i++)
		fputc('x', f);
	fclose(f);
	EXPECT_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	return 0;
}

static int cache(void) NO_ROLE_CHECK
{
	char base[] = P_tmpdir "/tandem-say-XXXXXX", dir[80], name[20];
	bool has_first, has_last;

	EXPECT(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/cache/speech", base);
	EXPECT(cache_dir_make(dir) && cache_dir_make(dir));
	for (int i = 0; i < 40; i++) { /* 00 is the oldest */
		snprintf(name, sizeof(name), "%02d.wav", i);
		EXPECT_INT(file_make(dir, name, 1000, 10000 - i), 0);
	}
	cache_trim(dir, 40, 40000);
	EXPECT_INT(files_in(dir, &has_first, &has_last), 40); /* at its bounds */
	EXPECT_INT(file_make(dir, ".new1-1.wav", 10, 10000), 0);
	EXPECT_INT(file_make(dir, ".new1-2.wav", 10, 5), 0);
	cache_trim(dir, 39, 1000000); /* too many files */
	EXPECT_INT(files_in(dir, &has_first, &has_last), 27 + 1);
	EXPECT(!has_first && has_last);
	cache_trim(dir, 1000, 20000); /* too many bytes */
	EXPECT_INT(files_in(dir, &has_first, &has_last), 15 + 1);
	EXPECT(has_last);
	snprintf(name, sizeof(name), "/39.wav");
	strcat(dir, name);
	EXPECT(cache_is_file(dir));
	cache_touch(dir);
	struct stat st;
	EXPECT(!stat(dir, &st) && time(NULL) - st.st_mtime < 60);
	char cmd[200];
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
	EXPECT_INT(system(cmd), 0);
	return 0;
}

TEST_MAIN(
    {"the cache keeps its bounds", cache}, {"names", names}, {"words", words}, {"all that is said", all_that_is_said})
