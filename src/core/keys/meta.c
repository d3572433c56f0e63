/* Keys bound during a bridge: the meta key, then a bound key within five seconds, runs an application. */
#include "core/keys/meta.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/keys_core.h"
#include "core/keys/keys_i.h"
#include "core/leg/leg.h"
#include "core/run/run_core.h"
#include "core/value/vars.h"
#include <ctype.h>
#include <string.h>

enum { BINDINGS_MAX = 24, WINDOW_US = 5000000 };

struct leg_meta {
	int64_t armed_until_us[2]; /* by side: own keys, the other leg's keys */
	unsigned count;
	struct binding {
		char key;
		unsigned listen;
		bool is_same, is_other, is_on_a, is_on_b, is_once;
		char *app;
	} v[BINDINGS_MAX];
};

static void binding_drop(struct leg_meta *m, unsigned i)
{
	mem_free(m->v[i].app);
	m->v[i] = m->v[--m->count];
}

static bool binds(const struct leg *owner, unsigned listen)
{
	const struct leg_meta *m = owner ? keys_of(owner)->meta : NULL;

	for (unsigned i = 0; m && i < m->count; i++)
		if (m->v[i].listen & listen)
			return true;
	return false;
}

bool leg_meta_listens(const struct leg *leg)
{
	return binds(leg, LEG_META_LISTEN_A) || binds(leg->peer, LEG_META_LISTEN_B);
}

static ON_CTL void bindings_changed(struct leg *leg)
{
	leg_dtmf_capture_check(leg);
	if (leg->peer)
		leg_dtmf_capture_check(leg->peer);
}

void leg_meta_unbind(struct leg *leg, char key)
{
	struct leg_meta *m = keys_of(leg)->meta;

	for (unsigned i = m ? m->count : 0; i-- > 0;)
		if (!key || m->v[i].key == key)
			binding_drop(m, i);
	if (m && !m->count) {
		mem_free(m);
		keys_of(leg)->meta = NULL;
	}
	bindings_changed(leg);
}

void leg_meta_fini(struct leg *leg)
{
	leg_meta_unbind(leg, 0);
}

int leg_meta_bind(struct leg *leg, char key, unsigned listen, struct sv flags, const char *app)
{
	struct leg_meta *m;
	struct binding b = {.key = (char)toupper((unsigned char)key), .listen = listen ? listen : LEG_META_LISTEN_A};

	if (!strchr("0123456789*#ABCD", b.key) || !b.key || !app || !*app)
		return ST_INVAL;
	leg_meta_unbind(leg, b.key);
	m = keys_of(leg)->meta;
	if (!m && !(m = keys_of(leg)->meta = mem_zalloc(sizeof(*m))))
		return ST_NOMEM;
	if (m->count == BINDINGS_MAX)
		return ST_LIMIT;
	for (size_t i = 0; i < flags.n; i++) {
		char c = (char)tolower((unsigned char)flags.p[i]);
		b.is_same |= c == 's', b.is_other |= c == 'o', b.is_on_a |= c == 'a', b.is_on_b |= c == 'b',
		    b.is_once |= c == '1';
	}
	if (b.is_same + b.is_other + b.is_on_a + b.is_on_b > 1)
		return ST_INVAL;
	b.is_on_a |= !b.is_same && !b.is_other && !b.is_on_b;
	b.app = mem_strdup(app);
	if (!b.app)
		return ST_NOMEM;
	m->v[m->count++] = b;
	bindings_changed(leg);
	return ST_OK;
}

static ON_CTL void run(struct leg *owner, struct leg *from, struct leg *other, unsigned i)
{
	struct leg_meta *m = keys_of(owner)->meta;
	const struct binding *b = &m->v[i];
	struct leg *target = b->is_on_a    ? owner
	                     : b->is_on_b  ? (owner == from ? other : from)
	                     : b->is_other ? other
	                                   : from;

	if (target)
		exec_hook_spec(target, b->app);
	if (b->is_once) {
		binding_drop(m, i);
		bindings_changed(owner);
	}
}

/* A key of from's far side against owner's bindings: true when it was theirs. After the meta key every key is, and a
 * second meta key is meant for the other side. */
static ON_CTL bool try_bindings(struct leg *owner, struct leg *from, struct leg *other, char digit)
{
	struct leg_meta *m = keys_of(owner)->meta;
	unsigned side = owner == from ? 0 : 1, listen = side ? LEG_META_LISTEN_B : LEG_META_LISTEN_A;
	const char *meta_key = vars_get(owner->vars, "bind_meta_key");
	bool is_meta = digit == (meta_key && *meta_key ? meta_key[0] : '*');
	int64_t now = clock_mono_us();

	if (!binds(owner, listen))
		return false;
	if (m->armed_until_us[side] <= now) {
		m->armed_until_us[side] = is_meta ? now + WINDOW_US : 0;
		return is_meta;
	}
	m->armed_until_us[side] = 0;
	for (unsigned i = 0; i < m->count && !is_meta; i++) {
		if (m->v[i].key == digit && m->v[i].listen & listen) {
			run(owner, from, other, i);
			break;
		}
	}
	return !is_meta;
}

bool leg_meta_digit(struct leg *leg, char digit)
{
	struct leg *peer = leg->peer;

	return try_bindings(leg, leg, peer, digit) || (peer && try_bindings(peer, leg, peer, digit));
}
