/* Recognition of speech on this machine by pocketsphinx (0.8+5prealpha, BSD licence), with Tandem's public header
 * alone. One decoder has the acoustic model and the dictionary; what may be said is a search that is put into it: a
 * JSGF grammar of the grammar directory, or the language model for free speech. The model is loaded with the first
 * utterance and stays, a grammar is parsed when it is first asked for and again when its file has changed.
 *
 * The library was made for programs of its own, and three of its habits are kept from a switch. It tells what is wrong
 * by a callback only: the first of its errors becomes the reason in our log line. It exits the process where it is at a
 * loss (a weight over 1 before <NULL> is enough): the callback does not return from that (gave_up). And it keeps a file
 * open whose grammar does not parse: files are read here, and it is given the text.
 *
 * load runs on the control thread, everything else on a worker, one call at a time (the header says so): no locks. */
#include <errno.h>
#include <pocketsphinx.h>
#include <setjmp.h>
#include <sphinxbase/err.h>
#include <sphinxbase/jsgf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tandem/module.h>

#define MODEL_DIR "/usr/share/pocketsphinx/model/en-us"
#define FREE_SPEECH "default" /* the language model: as the name of a grammar, and of its search */
enum {
	GRAMMARS_MAX = 32,
	NAME_MAX_CHARS = 64,
	PATH_CHARS = 1024,
	WHY_CHARS = 300,
	FILE_MAX = 64 << 10, /* of a grammar: five thousand words or so */
	RATE_HZ = 16000,
	SECONDS_MAX = 120
};

/* One that does not parse stays too, with its reason, until its file changes: what the library loses on its way out of
 * a broken grammar it loses once. */
struct grammar {
	char search[NAME_MAX_CHARS + 2]; /* "=NAME", so that none is called as the language model is; empty: free */
	struct stat seen;
	uint64_t used;       /* when, by the number of the call */
	char why[WHY_CHARS]; /* not empty: it is broken */
};

static const struct tandem_host *host;
static char model_dir[PATH_CHARS], dict[PATH_CHARS], language_model[PATH_CHARS], grammar_dir[PATH_CHARS];
static ps_decoder_t *decoder;
static struct grammar grammars[GRAMMARS_MAX];
static struct grammar *being_parsed; /* by the library, now */
static char *grammar_text;           /* parsed last; freed with the next, for the library may not come back */
static uint64_t call_count;
static int has_language_model, is_dead;
static char library_says[WHY_CHARS]; /* its first error since it was emptied */
static jmp_buf at_entry;

/* ---- the library's words ---- */

/* "ERROR: "file.c", line 1: words\n": the words, in printable characters. The lines of a grammar that it counts are not
 * initialised when it is given text. */
static void keep_words(char *text)
{
	char *words = strstr(text, ", line "), *line, *after;

	words = words && strstr(words, ": ") ? strstr(words, ": ") + 2 : text;
	line = strstr(words, " at line ");
	after = line ? strstr(line, " current token") : NULL;
	if (after)
		memmove(line, after, strlen(after) + 1);
	for (char *p = words; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = p[1] ? '?' : 0; /* at its end a newline */
	memmove(library_says, words, strlen(words) + 1);
}

static void on_library_words(void *user, err_lvl_t level, const char *format, ...)
{
	char text[WHY_CHARS];
	va_list ap;

	(void)user;
	if (level < ERR_ERROR)
		return;
	if (!library_says[0] || level == ERR_FATAL) {
		va_start(ap, format);
		vsnprintf(text, sizeof(text), format, ap);
		va_end(ap);
		keep_words(text);
	}
	if (level == ERR_FATAL) /* exit() is its next line */
		longjmp(at_entry, 1);
}

static const char *reason(const char *otherwise)
{
	return library_says[0] ? library_says : otherwise;
}

/* ---- the model, free speech ---- */

static int decoder_load(void)
{
	cmd_ln_t *conf;

	if (decoder)
		return TANDEM_OK;
	library_says[0] = 0;
	conf = cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", model_dir, "-dict", dict, "-samprate", "16000", NULL);
	decoder = conf ? ps_init(conf) : NULL;
	if (conf)
		cmd_ln_free_r(conf); /* the decoder holds it */
	if (decoder)
		return TANDEM_OK;
	host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: the model %s with the dictionary %s cannot be loaded: %s",
	    model_dir, dict, reason("no reason given"));
	return TANDEM_NOTFOUND;
}

static int free_speech_use(void)
{
	library_says[0] = 0;
	if (!has_language_model && ps_set_lm_file(decoder, FREE_SPEECH, language_model)) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: the language model %s cannot be loaded: %s",
		    language_model, reason("no reason given"));
		return TANDEM_NOTFOUND;
	}
	has_language_model = 1;
	return ps_set_search(decoder, FREE_SPEECH) ? TANDEM_INVAL : TANDEM_OK;
}

/* ---- grammars ---- */

static int name_is_good(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n <= NAME_MAX_CHARS && !name[n];
}

static int is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void grammar_forget(struct grammar *g)
{
	if (g->search[0] && !g->why[0])
		(void)ps_unset_search(decoder, g->search);
	memset(g, 0, sizeof(*g));
}

/* The row of that name, else an empty one: the one used longest ago makes room. */
static struct grammar *grammar_row(const char *name)
{
	struct grammar *oldest = &grammars[0];

	for (unsigned i = 0; i < GRAMMARS_MAX; i++) {
		if (grammars[i].search[0] && !strcmp(grammars[i].search + 1, name))
			return &grammars[i];
		if (grammars[i].used < oldest->used)
			oldest = &grammars[i];
	}
	grammar_forget(oldest);
	return oldest;
}

/* A statement begins with it: the library would look for files where the program happens to run. */
static int has_import(const char *text)
{
	for (const char *at = strstr(text, "import"); at; at = strstr(at + 1, "import")) {
		const char *before = at;
		while (before > text && strchr(" \t\r\n", before[-1]))
			before--;
		if (before > text && before[-1] == ';')
			return 1;
	}
	return 0;
}

/* NULL, with why: it cannot be had, it imports, or it does not begin as JSGF does (what the library's scanner does not
 * know it writes to stdout). */
static char *file_read(const char *path, char why[WHY_CHARS])
{
	FILE *f = fopen(path, "re");
	char *text = f ? malloc(FILE_MAX + 1) : NULL;
	size_t n;

	if (!text) {
		snprintf(why, WHY_CHARS, "%s", strerror(errno));
		if (f)
			fclose(f);
		return NULL;
	}
	n = fread(text, 1, FILE_MAX, f);
	fclose(f);
	text[n] = 0;
	if (strlen(text) != n || strncmp(strncmp(text, "\xEF\xBB\xBF", 3) ? text : text + 3, "#JSGF", 5))
		snprintf(why, WHY_CHARS, "it does not begin with #JSGF, or is no text");
	else if (has_import(text))
		snprintf(why, WHY_CHARS, "it imports, which is not supported");
	else
		return text;
	free(text);
	return NULL;
}

/* The grammar's first public rule as a search of the decoder. Whatever the library calls an error on the way makes it a
 * broken one: it would go on with less than the grammar says. */
static void grammar_compile(struct grammar *g, jsgf_t *jsgf)
{
	jsgf_rule_t *rule = jsgf_get_public_rule(jsgf);
	fsg_model_t *fsg = rule ? jsgf_build_fsg(jsgf, rule, ps_get_logmath(decoder),
	                              (float32)cmd_ln_float32_r(ps_get_config(decoder), "-lw"))
	                        : NULL;
	int is_set = fsg && !library_says[0] && !ps_set_fsg(decoder, g->search, fsg);

	if (fsg)
		fsg_model_free(fsg);
	if (is_set && !library_says[0])
		return;
	if (is_set)
		(void)ps_unset_search(decoder, g->search);
	snprintf(g->why, sizeof(g->why), "%s", reason(rule ? "it cannot be used" : "it has no public rule"));
}

static void grammar_parse(struct grammar *g, const char *text)
{
	jsgf_t *jsgf;

	library_says[0] = 0;
	being_parsed = g;
	jsgf = jsgf_parse_string(text, NULL);
	if (jsgf) {
		grammar_compile(g, jsgf);
		jsgf_grammar_free(jsgf);
	} else {
		snprintf(g->why, sizeof(g->why), "%s", reason("it does not parse"));
	}
	being_parsed = NULL;
}

/* The file's grammar as a row, parsed if it is another than before; NULL, with why: it cannot be read. */
static struct grammar *grammar_get(const char *name, const char *path, char why[WHY_CHARS])
{
	struct grammar *g;
	struct stat now;

	if (stat(path, &now)) {
		snprintf(why, WHY_CHARS, "%s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(now.st_mode) || now.st_size > FILE_MAX) {
		snprintf(why, WHY_CHARS, "it is no file of at most %d bytes", FILE_MAX);
		return NULL;
	}
	g = grammar_row(name);
	if (g->search[0] && is_same_file(&g->seen, &now))
		return g;
	grammar_forget(g);
	free(grammar_text);
	grammar_text = file_read(path, why);
	if (!grammar_text)
		return NULL;
	snprintf(g->search, sizeof(g->search), "=%s", name);
	g->seen = now, g->used = call_count;
	grammar_parse(g, grammar_text);
	return g;
}

static int grammar_use(const char *name)
{
	char path[PATH_CHARS + NAME_MAX_CHARS + 8], why[WHY_CHARS] = "";
	struct grammar *g;

	snprintf(path, sizeof(path), "%s/%s.gram", grammar_dir, name);
	g = grammar_get(name, path, why);
	if (!g || g->why[0]) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: the grammar %s: %s", path, g ? g->why : why);
		return g ? TANDEM_PARSE : TANDEM_NOTFOUND;
	}
	g->used = call_count;
	return ps_set_search(decoder, g->search) ? TANDEM_INVAL : TANDEM_OK;
}

/* ---- an utterance ---- */

static int decode(const int16_t *samples, size_t count, char *text, size_t capacity, double *confidence)
{
	const char *words;
	double sure;
	int32 score;
	int is_good;

	library_says[0] = 0;
	/* A stream of its own and as a whole: the noise and the mean that are taken off are those of this utterance,
	 * not of another caller's. */
	is_good = !ps_start_stream(decoder) && !ps_start_utt(decoder);
	is_good = is_good && ps_process_raw(decoder, samples, count, FALSE, TRUE) >= 0;
	is_good = !ps_end_utt(decoder) && is_good;
	if (!is_good) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: %s", reason("the utterance cannot be decoded"));
		return TANDEM_INVAL;
	}
	words = ps_get_hyp(decoder, &score);
	snprintf(text, capacity, "%s", words ? words : "");
	sure = logmath_exp(ps_get_logmath(decoder), ps_get_prob(decoder));
	*confidence = sure > 1 ? 1 : sure > 0 ? sure : 0;
	return TANDEM_OK;
}

/* Where the library would have ended the process. In a grammar the decoder has not been touched yet: only the grammar
 * is broken. Elsewhere nobody knows what the decoder is like. */
static int gave_up(void)
{
	if (being_parsed) {
		snprintf(being_parsed->why, sizeof(being_parsed->why), "%s", library_says);
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: the grammar %s/%s.gram: %s", grammar_dir,
		    being_parsed->search + 1, library_says);
		being_parsed = NULL;
		return TANDEM_PARSE;
	}
	is_dead = 1;
	host->log(NULL, TANDEM_LOG_CRIT, "pocketsphinx: %s: it is not used any more", library_says);
	return TANDEM_INVAL;
}

static int recognise_with(
    const char *grammar, const int16_t *samples, size_t count, char *text, size_t capacity, double *confidence)
{
	int is_free = !*grammar || !strcmp(grammar, FREE_SPEECH);
	int st;

	if (!is_free && !name_is_good(grammar)) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: '%.100s' is no name of a grammar", grammar);
		return TANDEM_INVAL;
	}
	if (count > (size_t)RATE_HZ * SECONDS_MAX) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: an utterance of more than %d s", SECONDS_MAX);
		return TANDEM_FULL;
	}
	st = decoder_load();
	if (!st)
		st = is_free ? free_speech_use() : grammar_use(grammar);
	return st ? st : decode(samples, count, text, capacity, confidence);
}

static int recognise(
    const char *grammar, const int16_t *samples, size_t count, char *text, size_t capacity, double *confidence)
{
	if (!capacity)
		return TANDEM_INVAL;
	text[0] = 0;
	*confidence = 0;
	if (is_dead) {
		host->log(NULL, TANDEM_LOG_ERR, "pocketsphinx: it is not used any more until the program is restarted");
		return TANDEM_INVAL;
	}
	call_count++;
	if (setjmp(at_entry))
		return gave_up();
	return recognise_with(grammar, samples, count, text, capacity, confidence);
}

/* ---- load ---- */

static void param_read(char out[PATH_CHARS], const char *name, const char *otherwise)
{
	const char *value = host->config_param("pocketsphinx.conf", name, otherwise);

	snprintf(out, PATH_CHARS, "%s", value && *value ? value : otherwise);
}

static const struct tandem_recogniser pocketsphinx = {
    .bytes = sizeof(pocketsphinx), .name = "pocketsphinx", .rate_hz = RATE_HZ, .recognise = recognise};

static int load(const struct tandem_host *h, struct tandem_self *self)
{
	const char *dir;

	if (h->bytes < offsetof(struct tandem_host, recogniser_add) + sizeof(h->recogniser_add))
		return TANDEM_UNSUPPORTED;
	host = h;
	err_set_callback(on_library_words, NULL);
	err_set_logfp(NULL); /* nor the configuration that it prints */
	dir = h->global_get("grammar_dir");
	param_read(grammar_dir, "grammar-dir", dir ? dir : "grammar");
	param_read(model_dir, "model-dir", MODEL_DIR "/en-us");
	param_read(dict, "dict", MODEL_DIR "/cmudict-en-us.dict");
	param_read(language_model, "language-model", MODEL_DIR "/en-us.lm.bin");
	return h->recogniser_add(self, &pocketsphinx);
}

TANDEM_MODULE_EXPORT = {TANDEM_MODULE_HEAD, "mod_pocketsphinx", "1.0", load, NULL, NULL, NULL};
