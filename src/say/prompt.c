/* A name that is played and not there: which recordings say the same, and by which engine, voice and words it is spoken
 * if there is none. The language is told by the directory: sound-prefix of the configured ones, else its name. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/value/self.h"
#include "say/prompt_i.h"
#include "say/say_i.h"
#include "speech/speech.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ASTERISK_SOUNDS "/usr/share/asterisk/sounds"

void prompt_plan_fini(struct prompt_plan *p)
{
	for (size_t i = 0; i < p->file_count; i++)
		mem_free(p->files[i]);
	mem_free(p->name);
	mem_free(p->voice);
	mem_free(p->text);
	mem_free(p->other_text);
	mem_free(p->command);
	mem_free(p->language);
	*p = (struct prompt_plan){0};
}

struct origin { /* where a prompt belongs */
	char lang[16];
	const struct xml_node *language; /* or NULL */
	size_t bytes;                    /* of the directory that matched; 0: none */
};

/* Whether path lies in dir; then dir's length. */
static size_t is_below(const char *path, const char *dir)
{
	size_t n = dir ? strlen(dir) : 0;

	while (n && dir[n - 1] == '/')
		n--;
	return n && !strncmp(path, dir, n) && path[n] == '/' ? n : 0;
}

static ON_CTL void try_languages(const char *path, const struct xml_node *parent, struct origin *o)
{
	xml_each(parent, "language", node)
	{
		const char *prefix = xml_attr(node, "sound-prefix"), *name = xml_attr_or(node, "name", "en");
		size_t n = is_below(path, prefix ? prefix : xml_attr(node, "sound-path"));
		if (n <= o->bytes)
			continue;
		o->bytes = n;
		o->language = node;
		snprintf(o->lang, sizeof(o->lang), "%s", name);
	}
}

/* The stock layout: sounds_dir/en/us/callie. */
static ON_CTL void try_root(const char *path, const char *root, struct origin *o)
{
	size_t n = is_below(path, root), end;

	if (!n || o->bytes)
		return;
	o->bytes = n;
	end = n + 1 + strcspn(path + n + 1, "/_-");
	if (end - n - 1 == 2)
		snprintf(o->lang, sizeof(o->lang), "%.2s", path + n + 1);
}

static ON_CTL void origin_of(const char *path, struct origin *o)
{
	const struct xml_node *section = config_section("languages");

	*o = (struct origin){.lang = "en"};
	try_languages(path, section, o);
	try_languages(path, xml_child(section, "macros"), o);
	try_root(path, globals_get("sounds_dir"), o);
	try_root(path, core_dirs() ? core_dirs()->sounds : NULL, o);
	if (!o->bytes)
		o->bytes = is_below(path, globals_get("sound_prefix"));
}

static void add_file(struct prompt_plan *p, const char *root, size_t root_bytes, const char *rest)
{
	struct buf b;

	if (p->file_count == PROMPT_FILES_MAX)
		return;
	buf_init(&b);
	buf_printf(&b, "%.*s/%s.wav", (int)root_bytes, root, rest);
	p->files[p->file_count++] = buf_take(&b);
}

static void set(char **field, const char *value)
{
	mem_free(*field);
	*field = mem_strdup(value);
}

static ON_CTL const char *command_line(void)
{
	return config_param(xml_child(config_conf("tts_commandline.conf"), "settings"), "command", NULL);
}

/* What is behind "http:"; "" behind "http"; NULL: another engine. */
static const char *http_language(const char *engine)
{
	if (strncasecmp(engine, "http", 4) != 0)
		return NULL;
	return !engine[4] ? "" : engine[4] == ':' ? engine + 5 : NULL;
}

static ON_CTL bool take_http(struct prompt_plan *p, const char *language, const char *voice)
{
	const char *url = http_param("url");

	if (!*url) {
		log_warning("there is no url in tts_http.conf for the speech engine http");
		return false;
	}
	p->engine = PROMPT_HTTP;
	set(&p->command, url);
	set(&p->language, language);
	set(&p->voice, voice ? voice : "");
	return true;
}

/* An engine by FreeSWITCH's name; false: we have none of that name. */
static ON_CTL bool take_engine(struct prompt_plan *p, const char *engine, const char *voice)
{
	if (!strcasecmp(engine, "flite")) {
		p->engine = PROMPT_FLITE;
		bool is_known = voice && speech_flite_has_voice(voice);
		if (voice && *voice && !is_known)
			log_warning(
			    "flite has no voice %s (slt, rms, awb, kal); " SPEECH_FLITE_DEFAULT_VOICE " speaks", voice);
		set(&p->voice, is_known ? voice : SPEECH_FLITE_DEFAULT_VOICE);
		return true;
	}
	if (!strcasecmp(engine, "espeak-ng") || !strcasecmp(engine, "espeak")) {
		p->engine = PROMPT_ESPEAK;
		set(&p->voice, voice && *voice ? voice : "en");
		return true;
	}
	if (!strcasecmp(engine, "tts_commandline") && command_line()) {
		p->engine = PROMPT_COMMAND;
		set(&p->command, command_line());
		set(&p->voice, voice ? voice : "");
		return true;
	}
	const char *language = http_language(engine);
	return language && take_http(p, language, voice);
}

static ON_CTL void take_default_engine(struct prompt_plan *p)
{
	take_engine(p, "flite", NULL);
}

/* What has no recording is spoken: by the language's engine where it is one of ours, else Chinese by espeak-ng, the
 * rest by flite in English. */
static ON_CTL bool plan_words(struct prompt_plan *p, const struct prompt_name *name, const struct origin *o)
{
	const char *engine = xml_attr(o->language, "tts-engine"), *voice = xml_attr(o->language, "tts-voice");
	bool is_chinese = !strncasecmp(o->lang, "zh", 2);
	struct buf text, other;
	bool is_ok;

	buf_init(&text);
	buf_init(&other);
	is_ok = prompt_words_en(name, &text);
	take_default_engine(p);
	if (is_chinese && prompt_words_zh(name, &other)) {
		p->other_text = buf_take(&text);
		p->text = buf_take(&other);
		take_engine(p, "espeak-ng", "cmn");
		is_ok = true;
	} else {
		p->text = buf_take(&text);
	}
	if (engine && (!is_chinese || p->other_text))
		take_engine(p, engine, voice);
	if (p->language && !*p->language)
		set(&p->language, o->lang);
	buf_fini(&other);
	return is_ok;
}

static ON_CTL int plan_prompt(const char *path, struct prompt_plan *p)
{
	struct prompt_name name;
	struct origin o;
	struct buf same;
	size_t root_bytes;

	if (!prompt_name_of(path, &name, &root_bytes))
		return ST_NOTFOUND;
	origin_of(path, &o);
	if (!o.bytes)
		return ST_NOTFOUND;
	p->is_prompt = true;
	buf_init(&same);
	if (!strncasecmp(o.lang, "en", 2) && prompt_asterisk_name(&name, &same)) {
		add_file(p, path, root_bytes, same.p);
		add_file(p, ASTERISK_SOUNDS "/en_US_f_Allison", INT_MAX, same.p);
		add_file(p, ASTERISK_SOUNDS "/en", INT_MAX, same.p);
	}
	buf_fini(&same);
	return plan_words(p, &name, &o) ? ST_OK : ST_NOTFOUND;
}

/* "tts://engine|voice|text"; fewer parts as in the application speak */
static ON_CTL int plan_speech(const char *text, struct prompt_plan *p)
{
	struct sv parts[3] = {SV_NONE, SV_NONE, SV_NONE}, rest = sv_of(text);
	int n = 0;
	char *engine, *voice;

	while (n < 2 && sv_find(rest, '|') < rest.n)
		sv_split(rest, '|', &parts[n++], &rest);
	if (!sv_trim(rest).n)
		return ST_NOTFOUND;
	engine = sv_dup(n == 2 ? parts[0] : SV_NONE);
	voice = sv_dup(n ? parts[n - 1] : SV_NONE);
	if (!*engine || !take_engine(p, engine, voice)) {
		if (*engine)
			log_warning("there is no speech engine %s[%s]; flite speaks", engine, voice);
		take_engine(p, "flite", voice);
	}
	p->text = sv_dup(rest);
	mem_free(engine);
	mem_free(voice);
	return ST_OK;
}

int prompt_plan_make(const char *name, struct prompt_plan *out)
{
	struct prompt_plan p = {.name = mem_strdup(name)};
	int st;

	if (!strncasecmp(name, "tts://", 6))
		st = plan_speech(name + 6, &p);
	else
		st = plan_prompt(name, &p);
	if (st)
		prompt_plan_fini(&p);
	else
		*out = p;
	return st;
}
