/* Private to core's configuration: the preprocessor and what it needs from outside. */
#pragma once
#include "base/hash.h"
#include "core/conf/config.h"

#define PRE_MAX_DEPTH 100
#define PRE_MAX_FILES 20000
#define PRE_COMMAND_MS 10000
#define PRE_STUN_MS 2000
#define PRE_COMMAND_MAX_BYTES (16u << 20)
#define PRE_READ_MAX_BYTES (256u << 20) /* of all files together, however often they are included */
#define PRE_LOAD_MS 60000

struct pre_set { /* a variable set while loading, in order */
	char *name, *value;
};
struct pre_span { /* what one included file (and what it includes) put out */
	size_t from, to, from_map, to_map;
	unsigned from_line;
	const char *file;
};
/* A configuration on its way:
 *
 *     freeswitch.xml          pre.c: includes, $${...}, <X-PRE-PROCESS>     worker (start: here and now)
 *       -> text, line map     text/xml: a tree that remembers file and line   worker
 *       -> struct config      config.c: an immutable snapshot                 worker
 *       -> stages             what rooms derive from it (compiled dialplan, directory index)   worker
 *     config_swap             control: globals, then listeners; the old one goes with its last reference
 *
 * Whatever fails on the way leaves the running one as it is.
 */
struct pre {
	struct buf out;    /* the document so far */
	unsigned out_line; /* lines in out */
	struct xml_line_map *map;
	size_t map_count, map_cap;
	unsigned map_next; /* file line the last entry would give out_line + 1 */
	const char *map_file;
	struct hash *vars; /* name -> char *: the globals at the start, then what is set */
	struct pre_set *sets;
	size_t set_count, set_cap;
	char **files; /* names, owned: the map points at them */
	size_t file_count, file_cap;
	struct pre_span *spans; /* in order of ending: the inner before the outer */
	size_t span_count, span_cap;
	struct hash *stun;            /* host -> char *: one question per host and load; "" = no answer */
	config_report_fn report;      /* NULL: problems go to the log */
	config_report_fn report_stop; /* with cuts_broken: the same for what stops a start */
	void *report_arg;
	bool cuts_broken;  /* checking: leave out files that do not parse, after reporting them */
	bool runs_nothing; /* exec, exec-set and stun-set are left out */
	bool may_run;      /* include, exec, exec-set, stun-set do something (false in fuzzing) */
	int status;
	size_t read_bytes;
	int64_t deadline_us; /* of the whole load */
	const char *why;     /* after a failure of pre_file: what is wrong with that file */
};
/* vars is taken. */
ANY int pre_init(struct pre *p, struct hash *vars);
ANY void pre_fini(struct pre *p);
/* Preprocesses a file (and what it includes) onto p->out. depth 0 = the main file. */
ANY int pre_file(struct pre *p, const char *path, unsigned depth);
/* The same for text that stands for the file path. */
ANY int pre_text(struct pre *p, const char *path, struct sv text, unsigned depth);
/* After the whole did not parse: puts the error of the innermost included file that is not well-formed by itself in
 * error; false when each of them is. */
ANY bool pre_blame(const struct pre *p, char error[XML_ERROR_CHARS]);
/* Whether a span is well-formed by itself; error tells when not. */
ANY bool pre_span_is_good(const struct pre *p, const struct pre_span *span, char error[XML_ERROR_CHARS]);
/* Whether it belongs to a module that is not here. */
ANY bool pre_span_is_foreign(const struct pre *p, const struct pre_span *span);
/* Leaves it out, telling the problem as a warning; no line moves. */
ANY void pre_span_blank(struct pre *p, const struct pre_span *span, const char *problem);
/* After the whole did not parse: leaves out the files that are no XML and foreign. True: there were some. */
ANY bool pre_drop_foreign(struct pre *p);
/* Reports, as warnings, the .xml files below dir that p did not read. */
ANY void config_unread(const struct pre *p, const char *dir, config_report_fn report, void *arg);
ANY bool config_has_file(const char *conf); /* "acl.conf": somebody here reads it */
ANY void pre_problem(struct pre *p, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The preprocessed text as a snapshot without stages. */
ANY int config_of_text(struct config **out, struct pre *pre, const char *main_file, char error[CONFIG_ERROR_CHARS]);
ANY const struct config_stage *config_stage_at(int i); /* NULL after the last */
ON_CTL const char *config_main_file(void);
ON_CTL struct hash *config_globals_copy(void); /* name -> char *; the caller frees it; NULL: out of memory */

struct config_loaded {
	struct config *cfg;
	char error[CONFIG_ERROR_CHARS];
};
ANY void globals_fini(void);

/* What somebody else answered for files (overlay.h); a snapshot has its own references. */
struct config_extra {
	char *name;
	struct xml_doc *doc;
	const struct xml_node *node;
};
struct config_extras {
	struct config_extra *list;
	size_t count;
};
CO void overlay_gather(struct config_extras *out);
ANY void config_extras_fini(struct config_extras *e);
ANY const struct config_extra *config_extra_of(const struct config *cfg, const char *name); /* NULL: of the files */
