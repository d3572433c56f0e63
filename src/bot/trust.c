/* Whose signatures count for wss://, and which certificate we show: the module's (tls-ca-file, else what the system
 * trusts), read once by a worker when it starts, and those of a stream whose leg names files of its own. Whoever wants
 * to connect before its own is read is told afterwards. */
#include "base/log.h"
#include "base/mem.h"
#include "bot/bot_i.h"
#include "loop/work.h"
#include "net/dial.h"

#include <string.h>

struct bot_trust {
	char *ca, *cert, *key; /* ca "": the system's; cert NULL: none is shown */
	struct dial_trust *made;
	int read;  /* the worker's verdict */
	int state; /* what bot_trust says */
	bool is_modules;
};
static struct bot_trust *modules;
static void (*ready_fn)(void); /* NULL: the module has stopped */

static void trust_dtor(void *obj)
{
	struct bot_trust *t = obj;
	mem_unref(t->made);
	mem_free(t->ca);
	mem_free(t->cert);
	mem_free(t->key);
}

static void on_work(void *arg)
{
	struct bot_trust *t = arg;
	role_assert_work();
	t->read = dial_trust_new(&t->made, *t->ca ? t->ca : NULL);
	if (!t->read && t->cert)
		t->read = dial_trust_own(t->made, t->cert, t->key);
}

static void on_done(int status, void *arg)
{
	struct bot_trust *t = arg;
	role_assert_ctl();
	bool is_good = !status && !t->read;
	if (!is_good && status != ST_CANCELLED && t->is_modules)
		log_error("audio_stream.conf: tls-ca-file: \"%s\" cannot be read", t->ca);
	else if (!is_good && status != ST_CANCELLED)
		log_error("audio streams: \"%s\"%s%s%s%s cannot be read as certificates and a key", t->ca,
		    t->cert ? ", " : "", t->cert ? t->cert : "", t->key ? ", " : "", t->key ? t->key : "");
	t->state = is_good ? ST_OK : ST_IO;
	mem_unref(t);
	if (ready_fn)
		ready_fn();
}

static ON_CTL struct bot_trust *begin(const char *ca, const char *cert, const char *key, bool is_modules)
{
	struct bot_trust *t = mem_new(sizeof(*t), trust_dtor, "bot.trust");
	if (!t)
		return NULL;
	t->ca = mem_strdup(ca), t->cert = cert ? mem_strdup(cert) : NULL, t->key = key ? mem_strdup(key) : NULL;
	t->state = ST_AGAIN, t->is_modules = is_modules;
	if (!t->ca || !t->cert != !cert || !t->key != !key)
		return mem_unref(t);
	mem_ref(t); /* the worker's; control has it back with on_done */
	if (work_submit(WORK_FILE, "bot.trust", on_work, on_done, t)) {
		mem_unref(t);
		return mem_unref(t);
	}
	return t;
}

void bot_trust_start(void (*fn)(void))
{
	ready_fn = fn;
	modules = begin(bot_param("tls-ca-file"), NULL, NULL, true);
}

void bot_trust_stop(void)
{
	modules = mem_unref(modules);
	ready_fn = NULL;
}

struct bot_trust *bot_trust_new(const struct bot_way *w)
{
	return begin(w->ca ? w->ca : bot_param("tls-ca-file"), w->cert, w->key, false);
}

int bot_trust(const struct bot_trust *t, struct dial_trust **out)
{
	if (!t)
		t = modules;
	if (!t)
		return ST_IO;
	if (!t->state && out)
		*out = mem_ref(t->made);
	return t->state;
}
