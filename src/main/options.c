/* The command line: one table of flags and one of directories; the rule that -conf, -log and -db come together;
 * defaults of the directories. Nothing is opened here. */
#include "main/options.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TANDEM_PREFIX
#define TANDEM_PREFIX "/usr/local/tandem"
#endif

enum flag_kind { FLAG_BOOL, FLAG_MODE, FLAG_PRIORITY, FLAG_TEXT, FLAG_IGNORED, FLAG_IGNORED_TEXT };
struct flag {
	const char *name;
	enum flag_kind kind;
	size_t offset;
	int value;
	const char *help;
};
#define AT(member) offsetof(struct options, member)
static const struct flag flags[] = {
    {"-nf", FLAG_MODE, 0, RUN_FOREGROUND, "stay in the foreground, no console; stronger than -nc"},
    {"-c", FLAG_MODE, 0, RUN_CONSOLE, "stay in the foreground with a console (the default)"},
    {"-nc", FLAG_MODE, 0, RUN_BACKGROUND, "go to the background"},
    {"-ncwait", FLAG_MODE, 0, RUN_BACKGROUND_WAIT, "go to the background; return when ready"},
    {"-stop", FLAG_BOOL, AT(is_stop), 1, "stop the instance whose pid file lies in the run directory"},
    {"-check-config", FLAG_BOOL, AT(is_check_config), 1,
        "say everything that is wrong with the configuration and exit"},
    {"-reference", FLAG_BOOL, AT(is_reference), 1,
        "print the reference of applications, commands, variables and settings and exit"},
    {"-elegant-term", FLAG_BOOL, AT(is_elegant_term), 1, "on TERM wait for calls to end"},
    {"-u", FLAG_TEXT, AT(user), 0, "user to become after start"},
    {"-g", FLAG_TEXT, AT(group), 0, "group to become after start"},
    {"-core", FLAG_BOOL, AT(dumps_core), 1, "dump cores"},
    {"-rp", FLAG_PRIORITY, 0, 2, "real-time priority"},
    {"-hp", FLAG_PRIORITY, 0, 2, "the same"},
    {"-lp", FLAG_PRIORITY, 0, -1, "low priority"},
    {"-np", FLAG_PRIORITY, 0, 0, "normal priority"},
    {"-nonat", FLAG_BOOL, AT(is_no_nat), 1, "do not look for a NAT router"},
    {"-cfgname", FLAG_TEXT, AT(cfgname), 0, "name of the configuration's first file (freeswitch.xml)"},
    {"-version", FLAG_BOOL, AT(is_version), 1, "print the version and exit"},
    {"-help", FLAG_BOOL, AT(is_help), 1, "this text"},
    {"-h", FLAG_BOOL, AT(is_help), 1, NULL},
    {"-?", FLAG_BOOL, AT(is_help), 1, NULL},
    {"--help", FLAG_BOOL, AT(is_help), 1, NULL},
    {"--version", FLAG_BOOL, AT(is_version), 1, NULL},
    /* FreeSWITCH's that have nothing to act on here: accepted so that start scripts go on working */
    {"-reincarnate", FLAG_IGNORED, 0, 0, "accepted, no effect (let systemd restart)"},
    {"-reincarnate-reexec", FLAG_IGNORED, 0, 0, NULL},
    {"-waste", FLAG_IGNORED, 0, 0, NULL},
    {"-no-auto-stack", FLAG_IGNORED, 0, 0, NULL},
    {"-vg", FLAG_IGNORED, 0, 0, NULL},
    {"-nosql", FLAG_IGNORED, 0, 0, NULL},
    {"-heavy-timer", FLAG_IGNORED, 0, 0, NULL},
    {"-nonatmap", FLAG_IGNORED, 0, 0, NULL},
    {"-nocal", FLAG_IGNORED, 0, 0, NULL},
    {"-nort", FLAG_IGNORED, 0, 0, NULL},
    {"-monotonic-clock", FLAG_IGNORED, 0, 0, NULL},
    {"-base", FLAG_TEXT, AT(dirs.base), 0, "directory that holds all the following"},
    {"-conf", FLAG_TEXT, AT(dirs.conf), 0, "configuration"},
    {"-log", FLAG_TEXT, AT(dirs.log), 0, "logs and call records"},
    {"-run", FLAG_TEXT, AT(dirs.run), 0, "pid file"},
    {"-db", FLAG_TEXT, AT(dirs.db), 0, "databases"},
    {"-mod", FLAG_TEXT, AT(dirs.mod), 0, "loadable modules"},
    {"-htdocs", FLAG_TEXT, AT(dirs.htdocs), 0, "web files"},
    {"-scripts", FLAG_TEXT, AT(dirs.scripts), 0, "scripts"},
    {"-temp", FLAG_TEXT, AT(dirs.temp), 0, "temporary files"},
    {"-grammar", FLAG_TEXT, AT(dirs.grammar), 0, "speech grammars"},
    {"-certs", FLAG_TEXT, AT(dirs.certs), 0, "certificates"},
    {"-recordings", FLAG_TEXT, AT(dirs.recordings), 0, "recordings"},
    {"-storage", FLAG_TEXT, AT(dirs.storage), 0, "voicemail and other stored things"},
    {"-cache", FLAG_TEXT, AT(dirs.cache), 0, "caches"},
    {"-sounds", FLAG_TEXT, AT(dirs.sounds), 0, "prompts"},
};

void options_print_help(const char *program)
{
	size_t i;

	printf(
	    "Usage: %s [OPTIONS]\n\nTandem %s, a softswitch that speaks FreeSWITCH's configuration and protocols.\n\n",
	    program, TANDEM_VERSION);
	for (i = 0; i < ARRAY_COUNT(flags); i++) {
		if (!flags[i].help)
			continue;
		printf("  %-14s %-6s %s\n", flags[i].name, flags[i].kind == FLAG_TEXT ? "TEXT" : "", flags[i].help);
	}
	printf("\nWhere -base is not given, -conf, -log and -db must be given together or not at all.\n"
	       "TANDEM_OPTS and FREESWITCH_OPTS in the environment come before the arguments.\n");
}

static int apply_one(struct options *o, const char *arg, const char *next, int *used)
{
	const struct flag *f = NULL;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(flags) && !f; i++)
		if (!strcmp(arg, flags[i].name))
			f = &flags[i];
	if (!f) {
		fprintf(stderr, "tandem: unknown option '%s' (see -help)\n", arg);
		return ST_INVAL;
	}
	*used = 1;
	switch (f->kind) {
	case FLAG_BOOL:
		*(bool *)((char *)o + f->offset) = true;
		break;
	case FLAG_MODE:
		/* -nf and -nc together, in any order: start scripts say both and mean no fork */
		if (o->mode != RUN_FOREGROUND || (f->value != RUN_BACKGROUND && f->value != RUN_BACKGROUND_WAIT))
			o->mode = (enum run_mode)f->value;
		break;
	case FLAG_PRIORITY:
		o->priority = f->value;
		break;
	case FLAG_TEXT:
	case FLAG_IGNORED_TEXT:
		if (!next || !*next) {
			fprintf(stderr, "tandem: option '%s' needs a value\n", arg);
			return ST_INVAL;
		}
		*used = 2;
		if (f->kind == FLAG_TEXT)
			*(const char **)((char *)o + f->offset) = next;
		break;
	case FLAG_IGNORED:
		break;
	}
	return ST_OK;
}

static int apply_all(struct options *o, int argc, char **argv)
{
	int i, used, st = ST_OK;

	for (i = 0; i < argc && st == ST_OK; i += used) {
		used = 1;
		st = apply_one(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
	}
	return st;
}

int options_parse(struct options *out, int argc, char **argv, const char *env_opts)
{
	struct options o = {.mode = RUN_CONSOLE, .cfgname = "freeswitch.xml"};
	char *env = env_opts ? mem_strdup(env_opts) : NULL, *word, *save = NULL, *words[64];
	int count = 0, given;

	for (word = env ? strtok_r(env, " \t", &save) : NULL; word && count < 64; word = strtok_r(NULL, " \t", &save))
		words[count++] = word;
	if (apply_all(&o, count, words) || apply_all(&o, argc - 1, argv + 1))
		goto bad;
	given = !!o.dirs.conf + !!o.dirs.log + !!o.dirs.db;
	if (given && given < 3 && !o.dirs.base && !o.is_check_config && !o.is_stop) {
		fprintf(stderr, "tandem: You must specify all or none of -conf, -log, and -db (or -base)\n");
		goto bad;
	}
	o.env = env;
	*out = o;
	return ST_OK;
bad:
	mem_free(env);
	return ST_INVAL;
}

void options_fini(struct options *o)
{
	mem_free(o->env);
	o->env = NULL;
}

/* A fresh absolute path, base joined when given is NULL. Lives as long as the program. */
static const char *dir_or(const char *given, const char *base, const char *sub)
{
	char cwd[4096], *real;
	struct buf b;

	buf_init(&b);
	if (given && given[0] != '/')
		buf_printf(&b, "%s/%s", getcwd(cwd, sizeof(cwd)) ? cwd : ".", given);
	else if (given)
		buf_adds(&b, given);
	else
		buf_printf(&b, "%s/%s", base, sub);
	while (b.n > 1 && b.p[b.n - 1] == '/')
		b.p[--b.n] = 0;
	real = realpath(b.p, NULL);
	if (real) {
		buf_clear(&b);
		buf_adds(&b, real);
		free(real);
	}
	return buf_take(&b);
}

int options_resolve_dirs(struct options *o)
{
	struct core_dirs *d = &o->dirs;

	d->base = dir_or(d->base ? d->base : TANDEM_PREFIX, NULL, NULL);
	d->conf = dir_or(d->conf, d->base, "conf");
	d->log = dir_or(d->log, d->base, "log");
	d->run = dir_or(d->run, d->base, "run");
	d->db = dir_or(d->db, d->base, "db");
	d->mod = dir_or(d->mod, d->base, "mod");
	d->scripts = dir_or(d->scripts, d->base, "scripts");
	d->temp = dir_or(d->temp ? d->temp : "/tmp", d->base, "temp");
	d->certs = dir_or(d->certs, d->base, "certs");
	d->recordings = dir_or(d->recordings, d->base, "recordings");
	d->storage = dir_or(d->storage, d->base, "storage");
	d->cache = dir_or(d->cache, d->base, "cache");
	d->sounds = dir_or(d->sounds, d->base, "sounds");
	d->htdocs = dir_or(d->htdocs, d->base, "htdocs");
	d->grammar = dir_or(d->grammar, d->base, "grammar");
	d->data = dir_or(d->data, d->base, "");
	return ST_OK;
}
