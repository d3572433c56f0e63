/* Who may take a caller who is choosy: who needs skills, or had an agent before. Needs are interned by queue, so that
 * of a thousand callers who wait for the same, one finds out that nobody is there for it; the others are passed over at
 * the cost of a comparison. The numbers of skills are of the process. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/value/vars.h"

#include <stdio.h>
#include <string.h>

static struct hash *skills_by_name; /* -> number + 1 */
static char *skill_names[CC_SKILL_NAMES_MAX];
static uint32_t skill_count;

int cc_picks_start(void)
{
	skill_count = 0;
	return hash_new(&skills_by_name, HASH_NOCASE, NULL);
}

void cc_picks_stop(void)
{
	hash_free(skills_by_name);
	skills_by_name = NULL;
	while (skill_count)
		mem_free(skill_names[--skill_count]);
}

/* ---- skills ---- */

static int skill_id(struct sv name, uint32_t *id, void *arg)
{
	role_assert_ctl();
	uintptr_t n = (uintptr_t)hash_get(skills_by_name, name);
	if (!n) {
		if (skill_count == CC_SKILL_NAMES_MAX)
			return ST_FULL;
		char *copy = sv_dup(name);
		if (!copy || hash_set(skills_by_name, name, (void *)(uintptr_t)(skill_count + 1))) {
			mem_free(copy);
			return ST_NOMEM;
		}
		skill_names[skill_count] = copy;
		n = ++skill_count;
	}
	*id = (uint32_t)(n - 1);
	return ST_OK;
}

static ON_CTL void agent_skilled(struct cc_agent *a)
{
	cc_plus_keep_agent(a);
	for (struct lnode *it = a->tiers.head.next; it != &a->tiers.head; it = it->next)
		cc_serve(list_entry(it, struct cc_tier, in_agent)->queue);
}

int cc_agent_skill_set(struct cc_agent *a, const char *name, int64_t level)
{
	struct sv text = sv_trim(sv_of(name));
	uint32_t id;
	if (!text.n || text.n > CC_SKILL_CHARS || level < 0 || level > CC_SKILL_LEVEL_MAX || strpbrk(name, ",:|\r\n"))
		return ST_INVAL;
	if (!a->plus.skills && !(a->plus.skills = mem_zalloc(sizeof(*a->plus.skills))))
		return ST_NOMEM;
	int st = skill_id(text, &id, NULL);
	if (!st)
		st = cc_skills_set(a->plus.skills, id, (uint32_t)level);
	if (!st)
		agent_skilled(a);
	return st;
}

void cc_agent_skills_parse(struct cc_agent *a, const char *text)
{
	struct cc_skills s;
	if (cc_skills_parse(&s, sv_of(text), skill_id, NULL) || !s.count)
		return;
	if (!a->plus.skills && !(a->plus.skills = mem_zalloc(sizeof(*a->plus.skills))))
		return;
	*a->plus.skills = s;
	agent_skilled(a);
}

void cc_agent_skills_put(const struct cc_agent *a, struct buf *out)
{
	for (unsigned i = 0; a->plus.skills && i < a->plus.skills->count; i++)
		buf_printf(
		    out, "%s%s:%u", i ? "," : "", skill_names[a->plus.skills->at[i].id], a->plus.skills->at[i].level);
}

/* ---- needs ---- */

void cc_needs_free(struct cc_queue *q)
{
	struct cc_need *n;
	while ((n = q->plus.needs)) {
		q->plus.needs = n->next;
		mem_free(n->text);
		mem_free(n);
	}
}

static ON_CTL struct cc_need *need_get(struct cc_queue *q, const char *text, struct leg *leg)
{
	struct cc_need *n;
	for (n = q->plus.needs; n; n = n->next)
		if (!strcmp(n->text, text))
			return n->skills.count ? n : NULL;
	struct cc_skills s;
	int st = q->plus.need_count < CC_NEEDS_MAX ? cc_skills_parse(&s, sv_of(text), skill_id, NULL) : ST_FULL;
	if (!st && !(n = mem_zalloc(sizeof(*n))))
		st = ST_NOMEM;
	if (!st && !(n->text = mem_strdup(text))) {
		mem_free(n);
		st = ST_NOMEM;
	}
	if (st) {
		leg_log(leg, LOG_ERR,
		    "callcenter: what is needed in %s is no list of skills and levels (english:3,billing), "
		    "or the %d-th: %s",
		    q->name, CC_NEEDS_MAX + 1, status_text(st));
		return NULL;
	}
	n->skills = s;
	n->next = q->plus.needs;
	q->plus.needs = n;
	q->plus.need_count++;
	return s.count ? n : NULL;
}

static ON_CTL uint32_t relaxed_by(const struct cc_member *m, int64_t now_us)
{
	int64_t every_us = clock_us_of_s(m->queue->s.skills_relax_s), us = now_us - m->joined_us;
	return every_us && us > 0 ? (uint32_t)(us / every_us > UINT16_MAX ? UINT16_MAX : us / every_us) : 0;
}

/* ---- who joins, who leaves ---- */

void cc_pick_stick(struct cc_member *m, struct cc_agent *a, int64_t seconds)
{
	mem_unref(m->plus.sticky);
	m->plus.sticky = mem_ref(a);
	m->plus.sticky_until_us = clock_mono_us() + clock_us_of_s(seconds);
	if (!m->plus.is_choosy) {
		m->plus.is_choosy = true;
		m->queue->plus.choosy_count++;
	}
}

void cc_pick_begin(struct cc_member *m)
{
	struct cc_queue *q = m->queue;
	const char *skills = vars_get(m->leg->vars, "cc_skills"), *name = vars_get(m->leg->vars, "cc_sticky_agent");
	if (!skills || !*skills)
		skills = q->s.skills;
	m->plus.need = skills && *skills ? need_get(q, skills, m->leg) : NULL;
	if ((!name || !*name) && q->s.is_sticky)
		name = cc_sticky_find(q, m->cid_number);
	struct cc_agent *a = name && *name ? cc_agent_find(name) : NULL;
	if (a && cc_tier_find(q, a))
		cc_pick_stick(m, a, q->s.sticky_wait_s);
	if (m->plus.need && !m->plus.is_choosy) {
		m->plus.is_choosy = true;
		q->plus.choosy_count++;
	}
}

void cc_pick_end(struct cc_member *m)
{
	if (m->plus.is_choosy)
		m->queue->plus.choosy_count--;
	m->plus.is_choosy = false;
	m->plus.need = NULL;
	m->plus.sticky = mem_unref(m->plus.sticky);
}

/* ---- the choice ---- */

static ON_CTL bool is_at_work(const struct cc_agent *a)
{
	return !a->is_gone && (a->status == CC_AVAILABLE || a->status == CC_ON_DEMAND);
}

struct asked {
	const struct cc_need *need;
	uint32_t relaxed;
};

static bool fits(const struct cc_place *p, const void *arg)
{
	const struct asked *w = arg;
	const struct cc_tier *t = list_entry(p, const struct cc_tier, place);
	return cc_skills_meet(t->agent->plus.skills, &w->need->skills, w->relaxed);
}

struct cc_tier *cc_pick(struct cc_member *m, int64_t max_level, int64_t now_us, uint64_t serial)
{
	struct cc_queue *q = m->queue;
	const struct cc_turn *turn = q->s.strategy == CC_TOP_DOWN ? &m->turn : &q->turn;
	struct cc_need *n = m->plus.need;
	struct cc_agent *mine = m->plus.sticky;
	struct cc_place *p;
	if (mine && now_us < m->plus.sticky_until_us && is_at_work(mine)) {
		struct cc_tier *t = cc_tier_find(q, mine);
		if (t)
			return t->place.is_in ? t : NULL;
	}
	if (!n) {
		p = cc_choose(&q->ready, q->s.strategy, turn, max_level, rand_u64());
		return p ? list_entry(p, struct cc_tier, place) : NULL;
	}
	const struct asked w = {n, relaxed_by(m, now_us)};
	if (n->failed_serial == serial && n->failed_relaxed >= w.relaxed && !q->s.rules.is_on)
		return NULL;
	p = cc_choose_if(&q->ready, q->s.strategy, turn, max_level, rand_u64(), fits, &w);
	if (!p)
		n->failed_serial = serial, n->failed_relaxed = w.relaxed;
	return p ? list_entry(p, struct cc_tier, place) : NULL;
}

int64_t cc_pick_due_us(const struct cc_member *m, int64_t now_us)
{
	int64_t due = m->plus.sticky && m->plus.sticky_until_us > now_us ? m->plus.sticky_until_us : 0;
	int64_t every_us = clock_us_of_s(m->queue->s.skills_relax_s);
	uint32_t relaxed = relaxed_by(m, now_us);
	if (m->plus.need && every_us && relaxed < cc_skills_height(&m->plus.need->skills)) {
		int64_t us = m->joined_us + every_us * ((int64_t)relaxed + 1);
		if (!due || us < due)
			due = us;
	}
	if (m->plus.callback && !m->leg && m->plus.callback->next_us > now_us &&
	    (!due || m->plus.callback->next_us < due))
		due = m->plus.callback->next_us;
	return due;
}
