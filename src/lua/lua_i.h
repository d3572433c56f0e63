/* What the files of mod_lua share. A script is one Lua state, run by one coroutine (a leg's own for the application,
 * one of its own otherwise) on a deep stack; so every C function of Lua's here runs inside that coroutine and may wait.
 * Errors of Lua unwind by longjmp: nothing may be held across a call that can raise one, and none may leave a callback
 * that core called. */
#pragma once
#include "base/list.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "loop/co.h"
#include <lauxlib.h>
#include <lua.h>

/* lua.conf, read when the module is loaded. */
struct lua_conf {
	uint64_t instruction_limit; /* without a wait between */
	size_t memory_limit_bytes;  /* per script */
	char *path;                 /* package.path: templates with ?, separated by ; */
};
extern struct lua_conf lua_conf;

/* ---- script.c ---- */
struct source_question;
struct script {
	lua_State *L;
	struct leg *leg;     /* whose coroutine runs it; borrowed for the run; NULL in the background */
	struct leg *session; /* global `session`; borrowed for the run, or NULL */
	struct buf *out;     /* what stream:write writes; NULL: there is no stream */
	struct event *event; /* global `event` of a hook; borrowed */
	struct event *env;   /* global `env` of a call's hook; borrowed */
	const char *code;
	bool is_dialplan;
	const struct source_question *question; /* of the XML handler: globals XML_REQUEST and params; or NULL */
	struct buf *answer;                     /* and the global XML_STRING after it */
	uint64_t instructions;                  /* since it last waited */
	int64_t turn_us, slice_from_us; /* the loop's turn it waited in; since when it runs without giving way */
	size_t mem_bytes;
	const char *ending;  /* why it is made to end, or NULL */
	char place[120];     /* where memory ran out */
	struct co_wait wait; /* for waits without a leg */
	struct lnode link;   /* in the list of those that run */
};
struct script_job {          /* strings and objects are borrowed for the run */
	const char *code;    /* "file args", "~code" or "#!/lua code" */
	struct leg *leg;     /* whose coroutine runs it, or NULL */
	struct leg *session; /* the leg of the global `session`, or NULL */
	struct buf *out;
	struct event *event, *env;
	bool is_dialplan; /* its table ACTIONS becomes the leg's list */
	const struct source_question *question;
	struct buf *answer;
};
/* Runs a script to its end. ST_INVAL: it failed, the log says why. */
CO int script_run(const struct script_job *job);
/* The same on a coroutine of its own, begun from the loop. code is copied, event referenced. ST_LIMIT: too many run. */
ON_CTL int script_spawn(const char *code, struct event *event);
ON_CTL size_t script_count(void);
struct script *script_of(lua_State *L);
const char *script_uuid(const struct script *s); /* for log lines; NULL without a leg */
/* After anything that may have waited: the budget begins anew if the loop has turned. */
CO void script_waited(struct script *s);
/* Work done outside of Lua's instructions: counts so many, gives way when it is time, raises when it is too much. */
void script_charge(lua_State *L, unsigned instructions);
/* As co_wait_or_stop, and the leg's hang-up ends it (ST_HANGUP); woken by script_wake. */
CO int script_wait(struct script *s, int64_t timeout_us);
ON_CTL void script_wake(struct script *s);
/* Pushes b's text and frees b, also when memory runs out. */
void script_push_take(lua_State *L, struct buf *b);
/* The message handler: a text with where it happened; the quiet end (script_end_quietly) passes as it is. */
int script_traceback(lua_State *L);
int script_end_quietly(lua_State *L); /* raises */

/* ---- chunk.c ---- */
/* Pushes the compiled chunk of the file. ST_NOTFOUND: no such file; ST_PARSE ...: a message is pushed in all cases of
 * failure. */
CO int chunk_load(lua_State *L, const char *path);
/* A script's file name to its path: relative ones lie in the script directory and stay there. ST_DENIED. */
ON_CTL int chunk_path(const char *name, struct buf *out);
ON_CTL void chunk_cache_clear(void);

/* ---- libs.c ---- */
void libs_open(lua_State *L); /* Lua's own libraries, without what would block the loop or end the program */

/* ---- pattern.c ---- */
extern const luaL_Reg pattern_functions[]; /* of the table string */

/* ---- io.c ---- */
extern const luaL_Reg io_os_functions[];
void io_open(lua_State *L); /* pushes the table */

/* ---- objects: each opens its part of the table `freeswitch`, on top of the stack ---- */
void object_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc); /* its metatable */
void globals_open(lua_State *L);
void event_open(lua_State *L);
void dbh_open(lua_State *L);
void json_open(lua_State *L);
void session_open(lua_State *L);
/* Pushes an Event object with a copy of e. */
ON_CTL void event_push_copy(lua_State *L, struct event *e);
void stream_push(lua_State *L);

/* ---- session.c ---- */
#define SESSION_CLASS "freeswitch.Session"
enum { SESSION_EVENTS_MAX = 32 };
/* In its user value: a table of callback, callback_arg, hook, hook_arg and what setPrivate put there. */
struct lua_session {
	struct script *script;
	struct leg *leg;  /* a reference; NULL: not made, or destroyed */
	enum cause cause; /* why it was not made */
	bool has_callback, has_hook, in_hook, hangs_up;
	struct event *events[SESSION_EVENTS_MAX]; /* sent to the session, for the callback */
	unsigned event_count;
	char uuid[UUID_CHARS + 1];
	char engine[80], voice[80]; /* of set_tts_params */
};
struct lua_session *session_arg(lua_State *L, int index);
/* Pushes a new object for leg (may be NULL), which gets a reference. */
struct lua_session *session_push(lua_State *L, struct leg *leg);
/* Calls the hang-up hook when it is due; may raise the script's end. index: of the object. */
CO void session_hook(lua_State *L, int index);
/* The script is over: hooks that are still due, hang-ups. Runs protected. */
CO int session_finish(lua_State *L);

/* ---- session_wait.c ---- */
extern const luaL_Reg session_waiting_methods[];
int session_new(lua_State *L); /* freeswitch.Session(...) */
int session_bridge(lua_State *L);
/* A script's number as a whole one: what is none (NaN) is 0, what no time or count can be is kept within 10^15. */
static inline int64_t script_whole(lua_Number n)
{
	return n > 1e15 ? (int64_t)1e15 : n < -1e15 ? -(int64_t)1e15 : n == n ? (int64_t)n : 0;
}
