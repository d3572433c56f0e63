/* The recogniser of modules/pocketsphinx without a program around it: its file is part of this one (it exports nothing
 * but its table), the table of functions is the test's. What is said is espeak-ng's, at the rate of the module. */
#include "../../../modules/pocketsphinx/mod_pocketsphinx.c"
#include "harness.h"
#include <unistd.h>

#define MAN "en-us"
#define WOMAN "en-us+f3" /* understood better in free speech */
#define NUMBERS "#JSGF V1.0;\ngrammar numbers;\npublic <n> = sales | support | operator;\n"
static char dir[] = "/tmp/test_pocketsphinx_XXXXXX";
static char logged[4000], text[200];
static unsigned line_count;
static const char *no_model; /* instead of the model's directory */
static const struct tandem_recogniser *added;
static double sure;
static int16_t sound[RATE_HZ * 10], at_22050[22050 * 10];

static void say_log(struct tandem_leg *leg, int level, const char *format, ...)
{
	va_list ap;
	(void)leg, (void)level;
	va_start(ap, format);
	vsnprintf(logged, sizeof(logged), format, ap);
	va_end(ap);
	line_count++;
}
static const char *param(const char *file, const char *name, const char *otherwise)
{
	return !strcmp(file, "pocketsphinx.conf") && !strcmp(name, "model-dir") && no_model ? no_model : otherwise;
}
static const char *global(const char *name)
{
	return strcmp(name, "grammar_dir") ? NULL : dir;
}
static int add(struct tandem_self *self, const struct tandem_recogniser *r)
{
	(void)self;
	added = r;
	return TANDEM_OK;
}
static const struct tandem_host table = {.abi = TANDEM_MODULE_ABI,
    .bytes = sizeof(table),
    .log = say_log,
    .config_param = param,
    .global_get = global,
    .recogniser_add = add};

static void grammar_write(const char *name, const char *words)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s.gram", dir, name);
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(words, f);
		fclose(f);
	}
}

static size_t says(const char *voice, const char *words) /* samples; 0: there is no espeak-ng */
{
	char command[200], header[44];
	snprintf(command, sizeof(command), "espeak-ng -v %s -s 130 --stdout '%s' 2>/dev/null", voice, words);
	FILE *f = popen(command, "r");
	size_t n = f && fread(header, 1, sizeof(header), f) == sizeof(header)
	               ? fread(at_22050, sizeof(*at_22050), sizeof(at_22050) / sizeof(*at_22050), f)
	               : 0;
	if (f)
		pclose(f);
	size_t count = n > 1 ? (size_t)((double)(n - 1) * RATE_HZ / 22050) : 0;
	for (size_t i = 0; i < count; i++) {
		double at = (double)i * 22050 / RATE_HZ;
		size_t k = (size_t)at;
		sound[i] = (int16_t)(at_22050[k] + (at_22050[k + 1] - at_22050[k]) * (at - (double)k));
	}
	return count;
}

static int hears(const char *grammar, size_t count)
{
	memset(text, 'x', sizeof(text) - 1);
	logged[0] = 0, line_count = 0;
	return added->recognise(grammar, sound, count, text, sizeof(text), &sure);
}

static bool begin(void)
{
	if (!mkdtemp(dir) || load(&table, NULL))
		return false;
	grammar_write("numbers", NUMBERS);
	return true;
}
static void end(void)
{
	char command[200];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	if (system(command))
		test_fail(__FILE__, __LINE__, "%s stays", dir);
}

/* The library itself loses some bytes of a grammar that it refuses (the module lets it do so once a file). */
void __lsan_disable(void) __attribute__((weak));
static void leaks_are_the_library(void)
{
	if (__lsan_disable)
		__lsan_disable();
}

#define NEEDS_MODEL \
	do { \
		if (access(MODEL_DIR "/cmudict-en-us.dict", R_OK)) { \
			test_skip("pocketsphinx-en-us is not installed"); \
			end(); \
			return 0; \
		} \
	} while (0)

static int test_words(void)
{
	static const char *const words[] = {"sales", "support", "operator", "sales"};
	EXPECT(begin());
	NEEDS_MODEL;
	if (!says(MAN, "sales")) {
		test_skip("espeak-ng is not installed");
		end();
		return 0;
	}
	for (unsigned i = 0; i < 4; i++) {
		EXPECT_INT(hears("numbers", says(MAN, words[i])), TANDEM_OK);
		EXPECT(!strcmp(text, words[i]));
		EXPECT(sure > 0 && sure <= 1);
	}
	EXPECT_INT(hears("numbers", says(MAN, "elephant")), TANDEM_OK);
	EXPECT(!text[0]);
	EXPECT_INT(hears("default", says(WOMAN, "good morning")), TANDEM_OK); /* free */
	EXPECT(!strcmp(text, "good morning"));
	EXPECT_INT(hears("", says(WOMAN, "good morning")), TANDEM_OK);
	EXPECT(!strcmp(text, "good morning"));
	EXPECT(sure > 0 && sure <= 1);
	EXPECT_INT(added->recognise("numbers", sound, says(MAN, "operator"), text, 5, &sure), TANDEM_OK);
	EXPECT(!strcmp(text, "oper"));
	end();
	return 0;
}

/* One file written anew is seen; a broken one is told with its name, each time, and does no harm to others. */
static int test_changed(void)
{
	EXPECT(begin());
	NEEDS_MODEL;
	size_t n = says(MAN, "sales");
	EXPECT_INT(hears("numbers", n), TANDEM_OK);
	grammar_write("numbers", "#JSGF V1.0;\ngrammar numbers;\npublic <n> = sales | xyzzyq;\n");
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_INT(hears("numbers", n), TANDEM_PARSE);
		EXPECT(strstr(logged, dir) && strstr(logged, "/numbers.gram: The word 'xyzzyq' is missing"));
		EXPECT_INT(line_count, 1);
		EXPECT(!text[0] && sure == 0);
	}
	grammar_write("numbers", "#JSGF V1.0;\ngrammar numbers;\npublic <word> = elephant | sales;\n");
	EXPECT_INT(hears("numbers", n), TANDEM_OK);
	EXPECT(!n || !strcmp(text, "sales"));
	EXPECT_INT(line_count, 0);
	end();
	return 0;
}

static int test_broken(void)
{
#define HEAD "#JSGF V1.0;\ngrammar g;\n"
	static const struct {
		const char *words, *why;
	} rows[] = {{"", "does not begin with #JSGF"}, {"public <n> = sales;", "does not begin"},
	    {HEAD "public <n> = sales", "syntax error"}, {HEAD "public <n> = <other>;", "Undefined rule"},
	    {HEAD "<n> = sales;", "no public rule"}, {HEAD "/* public <n> = sales;", "no public rule"},
	    {HEAD "import <a.b>;\npublic <n> = <a.b>;", "it imports"}, {HEAD "public <n> = sales | ;", "syntax error"}};
	EXPECT(begin());
	NEEDS_MODEL;
	leaks_are_the_library();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		grammar_write("bad", "other"); /* of another length */
		EXPECT(hears("bad", RATE_HZ) != TANDEM_OK);
		grammar_write("bad", rows[i].words);
		EXPECT(hears("bad", RATE_HZ) != TANDEM_OK);
		if (!strstr(logged, rows[i].why))
			test_fail(__FILE__, __LINE__, "row %u: %s", i, logged);
		EXPECT_INT(line_count, 1);
	}
	grammar_write("bad", HEAD "public <n> = import | sales;"); /* a word like any other */
	EXPECT_INT(hears("bad", 0), TANDEM_OK);
	EXPECT_INT(hears("numbers", 0), TANDEM_OK);
	EXPECT(!text[0]);
	end();
	return 0;
}

/* What the library would have ended the process for. */
static int test_fatal(void)
{
	EXPECT(begin());
	NEEDS_MODEL;
	leaks_are_the_library();
	grammar_write("bad", HEAD "public <n> = /5/ <NULL> | sales;");
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_INT(hears("bad", RATE_HZ), TANDEM_PARSE);
		EXPECT(strstr(logged, "/bad.gram: Null transition prob"));
		EXPECT_INT(line_count, 1);
	}
	EXPECT_INT(hears("numbers", RATE_HZ), TANDEM_OK);
	end();
	return 0;
}

static int test_refused(void)
{
	static const char *const names[] = {"../numbers", "a/b", "numbers.gram", "a b", "/etc/passwd", "n%73",
	    "12345678901234567890123456789012345678901234567890123456789012345"};
	EXPECT(begin());
	NEEDS_MODEL;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		EXPECT_INT(hears(names[i], RATE_HZ), TANDEM_INVAL);
		EXPECT(strstr(logged, "is no name of a grammar"));
		EXPECT_INT(line_count, 1);
	}
	EXPECT_INT(hears("nowhere", RATE_HZ), TANDEM_NOTFOUND);
	EXPECT(strstr(logged, "/nowhere.gram: No such file"));
	EXPECT_INT(hears("numbers", (size_t)RATE_HZ * SECONDS_MAX + 1), TANDEM_FULL);
	EXPECT_INT(line_count, 1);
	end();
	return 0;
}

static int test_many(void) /* more than are kept */
{
	char name[20];
	EXPECT(begin());
	NEEDS_MODEL;
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < GRAMMARS_MAX + 5; i++) {
			snprintf(name, sizeof(name), "g%u", i);
			grammar_write(name, NUMBERS);
			EXPECT_INT(hears(name, RATE_HZ / 10), TANDEM_OK);
		}
	end();
	return 0;
}

static int test_no_model(void)
{
	no_model = "/nonexistent";
	EXPECT(begin());
	EXPECT_INT(hears("numbers", RATE_HZ), TANDEM_NOTFOUND);
	EXPECT(strstr(logged, "the model /nonexistent"));
	EXPECT_INT(line_count, 1);
	end();
	return 0;
}

static const struct test_case cases[] = {
    {"words are recognised, free speech too", test_words, 0},
    {"a grammar that changes is read anew", test_changed, 0},
    {"broken grammars are told by file and reason", test_broken, 0},
    {"what the library exits for breaks one grammar", test_fatal, 0},
    {"what is no name never becomes a path", test_refused, 0},
    {"more grammars than are kept", test_many, 0},
    {"a model that is not there", test_no_model, 0},
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(*cases));
}
