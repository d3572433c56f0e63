/* Languages: what the configuration's section "languages" says of one, in FreeSWITCH's present form
 * (language/phrases/macros) and its older one (macros/language). */
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "say/say_i.h"
#include <string.h>

static ON_CTL const char *attr_of(const struct xml_node *node, const char *dashed, const char *other)
{
	const char *value = xml_attr(node, dashed);

	return value ? value : other ? xml_attr(node, other) : NULL;
}

static ON_CTL const struct xml_node *node_find(const struct xml_node *section, const char *name)
{
	const struct xml_node *node = xml_child_with(section, "language", "name", name);

	return node ? node : xml_child_with(xml_child(section, "macros"), "language", "name", name);
}

static ON_CTL void take(struct say_lang *l, const struct xml_node *node)
{
	l->phrases = xml_child(node, "phrases");
	l->macros = l->phrases ? xml_child(l->phrases, "macros") : node;
	l->module = attr_of(node, "say-module", "module");
	if (!l->module)
		l->module = l->name;
	l->prefix = attr_of(node, "sound-prefix", "sound-path");
	if (!l->prefix)
		l->prefix = xml_attr(node, "sound_path");
	l->tts_engine = attr_of(node, "tts-engine", "tts_engine");
	l->tts_voice = attr_of(node, "tts-voice", "tts_voice");
}

int say_lang_find(struct leg *leg, const char *name, struct say_lang *out)
{
	struct say_lang l = {.name = mem_strdup(name), .held = mem_ref(config_current())};
	const struct xml_node *section = config_section("languages"), *node = node_find(section, name);
	const char *sounds = globals_get("sounds_dir");
	struct buf b;

	if (!node && strchr(l.name, '-')) {
		*strchr(l.name, '-') = 0;
		node = node_find(section, l.name);
	}
	if (node) {
		take(&l, node);
	} else if (say_language_find(l.name)) {
		buf_init(&b);
		buf_printf(&b, "%s/%s", sounds ? sounds : core_dirs() ? core_dirs()->sounds : "", l.name);
		l.module = l.name;
		l.prefix = l.own_prefix = buf_take(&b);
		log_uuid(LOG_NOTICE, leg ? leg->uuid : NULL,
		    "the language %s is not in the configuration; its recordings are looked for in %s", l.name,
		    l.prefix);
	} else {
		log_uuid(LOG_ERR, leg ? leg->uuid : NULL, "Can't find language %s.", name);
		say_lang_fini(&l);
		return ST_NOTFOUND;
	}
	*out = l;
	return ST_OK;
}

/* FreeSWITCH's parameters. A language of the answer without the macro leaves it to the files. */
int say_lang_ask(struct leg *leg, const char *name, const char *macro, const char *data, struct say_lang *out)
{
	struct source_question q = {.section = "languages"};
	const struct xml_node *section, *node;
	struct say_lang l = {0};
	char *plain;

	if (!source_is_bound("languages") || !(q.params = event_new(EVENT_REQUEST_PARAMS, NULL)))
		return say_lang_find(leg, name, out);
	plain = mem_strdup(name); /* a variable's value is gone after the wait */
	event_add(q.params, "macro_name", macro);
	event_add(q.params, "lang", name);
	if (data && *data)
		event_add(q.params, "data", data);
	leg_event_all(leg, q.params);
	int st = source_ask(&q, &l.doc, &section);
	mem_unref(q.params);
	node = st ? NULL : node_find(section, plain);
	if (!node || !leg_is_up(leg)) {
		mem_unref(l.doc);
		st = leg_is_up(leg) ? say_lang_find(leg, plain, out) : ST_HANGUP;
		mem_free(plain);
		return st;
	}
	l.name = plain;
	take(&l, node);
	*out = l;
	return ST_OK;
}

void say_lang_fini(struct say_lang *l)
{
	mem_unref(l->doc);
	mem_free(l->own_prefix);
	mem_free(l->name);
	mem_unref(l->held);
	*l = (struct say_lang){0};
}

const char *say_lang_of(struct leg *leg, const char *otherwise)
{
	const char *name = leg ? leg_var(leg, "language") : NULL;

	if (!name)
		name = leg ? leg_var(leg, "default_language") : globals_get("default_language");
	return name ? name : otherwise;
}

void say_prefix_set(struct say_prefix *p, struct leg *leg, const char *prefix)
{
	*p = (struct say_prefix){0};
	if (!prefix || leg_var_is_true(leg, "sound_prefix_enforced"))
		return;
	p->old = vars_get(leg->vars, "sound_prefix") ? leg_text_dup(leg, "sound_prefix") : NULL;
	p->is_set = true;
	leg_var_set_text(leg, "sound_prefix", prefix);
}

void say_prefix_restore(struct say_prefix *p, struct leg *leg)
{
	if (p->is_set)
		leg_var_set_text(leg, "sound_prefix", p->old);
	mem_free(p->old);
	*p = (struct say_prefix){0};
}
