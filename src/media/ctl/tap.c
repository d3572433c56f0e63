/* Taps on control's side. A tap is what is wanted (levels, a spy, a watch ...); what the media thread gets is made from
 * it for the codecs of the moment, and made again when those change or when a spy's two streams had to part because one
 * moved to another thread. A spy's listener is moved to where its target lives. What plays in a displaced side is
 * prepared by play.c. What a kind does is its ops table; the rest treats all alike. */
#include "base/check.h"
#include "base/mem.h"
#include "media/ctl/ctl_i.h"

#include <string.h>

struct mtap;
struct mtap_ops {
	const char *name;
	int (*make)(struct mtap *m, struct rt_tap **out); /* for the parameters of the moment */
	/* It is back, before it is freed: what it brings goes into r, or where it came from. May be NULL. */
	void (*take_back)(struct mtap *m, struct rt_tap *tap, struct media_report *r);
	void (*give_up)(struct mtap *m); /* stopped before it was made; may be NULL */
	void (*keep)(
	    struct mtap *m, struct rt_tap *tap); /* it is back to be made again: takes what goes on; may be NULL */
};
struct mtap {
	struct lnode link; /* in the stream's taps */
	struct mstream *s; /* a reference: on whom it is */
	uint32_t id;
	const struct mtap_ops *ops;
	bool is_told, is_stopped;
	uint32_t told_recv_hz, told_send_hz;
	struct mstream *listener; /* spy: a reference */
	struct lnode spying;      /* spy: in the listener's */
	struct mplay *play;       /* displaced: until it is told */
	struct media_port *port;  /* a reference */
	struct media_cadence_conf *cadence;
	struct mroom_in *in; /* of a room: told of its end, not counted */
	union {
		struct media_level level;
		unsigned spy_flags;
		struct media_displace_conf displace;
		struct media_tone_conf tone;
		struct media_energy_conf energy;
		struct media_ear_conf ear;
		struct media_preproc_conf preproc;
	};
};

static bool can_be_tapped(const struct mstream *s)
{
	struct rt_pcm *w;
	if (rt_pcm_new(&w, &s->params))
		return false;
	rt_pcm_free(w);
	return true;
}

static struct mtap *mtap_find(struct mstream *s, uint32_t id)
{
	struct lnode *it, *tmp;
	list_each (&s->taps, it, tmp)
		if (list_entry(it, struct mtap, link)->id == id)
			return list_entry(it, struct mtap, link);
	return NULL;
}

static struct mtap *mtap_find_kind(struct mstream *s, const struct mtap_ops *ops)
{
	struct lnode *it, *tmp;
	list_each (&s->taps, it, tmp) {
		struct mtap *m = list_entry(it, struct mtap, link);
		if (m->ops == ops && !m->is_stopped)
			return m;
	}
	return NULL;
}

ON_CTL static void mtap_free(struct mtap *m)
{
	list_remove(&m->link);
	list_remove(&m->spying);
	if (m->play)
		play_drop(m->play);
	mem_unref(m->listener);
	mem_unref(m->port);
	mem_free(m->cadence);
	mem_unref(m->s);
	mem_free(m);
}

/* Tells whom it concerns: a spy is his listener's. */
ON_CTL static void mtap_over_with(struct mtap *m, const struct media_report *r)
{
	struct mroom_in *in = m->in;
	if (in) {
		mtap_free(m);
		mroom_tap_over(in, r->status);
		return;
	}
	struct mstream *whom = mem_ref(m->listener ? m->listener : m->s);
	mtap_free(m);
	mstream_report(whom, r);
	mem_unref(whom);
}

ON_CTL static void mtap_over(struct mtap *m, int status)
{
	mtap_over_with(m, &(struct media_report){.kind = MEDIA_R_TAP_DONE, .id = m->id, .status = status});
}

static int level_make(struct mtap *m, struct rt_tap **out)
{
	return rt_level_new((struct rt_level **)out, &m->s->params, &m->level);
}

static int spy_make(struct mtap *m, struct rt_tap **out)
{
	struct rt_spy *y = NULL;
	int st = rt_spy_new(&y, &m->s->params, &m->listener->params);
	if (!st)
		y->flags = m->spy_flags, *out = &y->tap;
	return st;
}

static int displace_make(struct mtap *m, struct rt_tap **out)
{
	role_assert_ctl();
	const struct media_params *p = &m->s->params;
	int st = play_fit(m->play, codec_rate_hz(m->displace.on_read ? &p->recv : &p->send));
	if (!st)
		st = rt_displace_new((struct rt_displace **)out, p, play_rt(m->play), &m->displace);
	if (!st)
		play_lent(m->play), m->play = NULL;
	return st;
}

static void displace_take_back(struct mtap *m, struct rt_tap *tap, struct media_report *r)
{
	role_assert_ctl();
	struct rt_displace *d = (struct rt_displace *)tap;
	play_returned(m->s, d->play);
	d->play = NULL;
}

/* It goes on where it was, for what is left of its time. */
static void displace_keep(struct mtap *m, struct rt_tap *tap)
{
	role_assert_ctl();
	struct rt_displace *d = (struct rt_displace *)tap;
	uint64_t left = d->limit_samples > d->done_samples ? d->limit_samples - d->done_samples : 0;
	if (d->limit_samples)
		m->displace.limit_ms = (uint32_t)(m->displace.limit_ms * left / d->limit_samples);
	if (d->limit_samples && !m->displace.limit_ms)
		m->displace.limit_ms = 1;
	m->play = play_back(m->s, d->play);
	d->play = NULL;
}

static void displace_give_up(struct mtap *m)
{
	role_assert_ctl();
	play_unprepare(m->s, m->id);
}

static int tone_make(struct mtap *m, struct rt_tap **out)
{
	return rt_tone_watch_new((struct rt_tone_watch **)out, &m->s->params, &m->tone);
}

static int cadence_make(struct mtap *m, struct rt_tap **out)
{
	return rt_cadence_watch_new(out, &m->s->params, m->cadence);
}

static int energy_make(struct mtap *m, struct rt_tap **out)
{
	return rt_energy_watch_new((struct rt_energy_watch **)out, &m->s->params, &m->energy);
}

static void energy_take_back(struct mtap *m, struct rt_tap *tap, struct media_report *r)
{
	r->hits = ((struct rt_energy_watch *)tap)->hits, r->heard = ((struct rt_energy_watch *)tap)->heard;
}

static int ear_make(struct mtap *m, struct rt_tap **out)
{
	return rt_ear_new((struct rt_ear **)out, &m->s->params, &m->ear);
}

static int preproc_make(struct mtap *m, struct rt_tap **out)
{
	return rt_preproc_new(out, &m->s->params, &m->preproc);
}

static void ear_take_back(struct mtap *m, struct rt_tap *tap, struct media_report *r)
{
	rt_ear_heard((struct rt_ear *)tap, &r->ear);
}

static int dtmf_make(struct mtap *m, struct rt_tap **out)
{
	return rt_dtmf_watch_new((struct rt_dtmf_watch **)out, &m->s->params);
}

static int voice_make(struct mtap *m, struct rt_tap **out)
{
	return rt_voice_watch_new((struct rt_voice_watch **)out, &m->s->params);
}

static int port_make(struct mtap *m, struct rt_tap **out)
{
	return rt_port_new(out, &m->s->params, m->port);
}

static int room_make(struct mtap *m, struct rt_tap **out)
{
	role_assert_ctl();
	return mroom_tap_make(m->in, out);
}

static const struct mtap_ops room_ops = {.name = "room", .make = room_make};
static const struct mtap_ops port_ops = {.name = "port", .make = port_make};
static const struct mtap_ops level_ops = {.name = "level", .make = level_make};
static const struct mtap_ops spy_ops = {.name = "spy", .make = spy_make};
static const struct mtap_ops displace_ops = {.name = "displace",
    .make = displace_make,
    .take_back = displace_take_back,
    .keep = displace_keep,
    .give_up = displace_give_up};
static const struct mtap_ops tone_ops = {.name = "tone", .make = tone_make};
static const struct mtap_ops cadence_ops = {.name = "cadence", .make = cadence_make};
static const struct mtap_ops energy_ops = {.name = "energy", .make = energy_make, .take_back = energy_take_back};
static const struct mtap_ops ear_ops = {.name = "ear", .make = ear_make, .take_back = ear_take_back};
static const struct mtap_ops preproc_ops = {.name = "preprocess", .make = preproc_make};
static const struct mtap_ops voice_ops = {.name = "voice", .make = voice_make};
static const struct mtap_ops dtmf_ops = {.name = "dtmf", .make = dtmf_make};

/* A spy and his target on one thread, both there: ST_OK; ST_AGAIN: it is tried again when that has come about. */
ON_CTL static int bring_together(struct mtap *m)
{
	struct mstream *l = m->listener, *t = m->s;
	if (!l)
		return ST_OK;
	if (l->is_moving || t->is_moving || !l->has_params || !t->has_params)
		return ST_AGAIN;
	if (l->thread == t->thread)
		return ST_OK;
	int st = mstream_move(l, t->thread);
	return st ? st : ST_AGAIN;
}

/* ST_OK also when it has to wait. */
ON_CTL static int mtap_tell(struct mtap *m)
{
	struct rt_cmd c = {.kind = RT_C_TAP};
	struct rt_tap *tap;
	int st = bring_together(m);
	if (!st)
		st = m->ops->make(m, &tap);
	if (st)
		return st == ST_AGAIN ? ST_OK : st;
	tap->id = m->id;
	m->is_told = true;
	m->told_recv_hz = m->s->params.recv.rate_hz, m->told_send_hz = m->s->params.send.rate_hz;
	c.ptr = tap;
	if (m->listener)
		c.peer = m->listener->rt;
	return mstream_post(m->s, &c);
}

ON_CTL static struct mtap *mtap_new(struct mstream *s, const struct mtap_ops *ops)
{
	struct mtap *m = mem_zalloc(sizeof(*m));
	if (!m)
		return NULL;
	m->id = ++mctl.next_id;
	m->ops = ops;
	m->s = mem_ref(s);
	list_push(&s->taps, &m->link);
	return m;
}

int tap_can(const struct mstream *s)
{
	return s->is_closing ? ST_CLOSED : !s->has_params ? ST_INVAL : can_be_tapped(s) ? ST_OK : ST_UNSUPPORTED;
}

ON_CTL static int mtap_start(struct mtap *m, uint32_t *id_out)
{
	int st = m ? mtap_tell(m) : ST_NOMEM;
	if (st && m)
		mtap_free(m);
	else if (!st && id_out)
		*id_out = m->id;
	return st;
}

ON_CTL static void mtap_stop(struct mtap *m)
{
	struct rt_cmd c = {.kind = RT_C_TAP_STOP, .number = m->id, .flags = ST_CANCELLED};
	if (m->is_stopped)
		return;
	m->is_stopped = true;
	if (m->is_told) {
		(void)mstream_post(m->s, &c);
		return;
	}
	if (m->ops->give_up)
		m->ops->give_up(m);
	mtap_over(m, ST_CANCELLED);
}

int mstream_set_level(struct mstream *s, const struct media_level *level)
{
	struct mtap *m = mtap_find_kind(s, &level_ops);
	int st = tap_can(s);
	if (st)
		return st;
	if (!level->steps[0] && !level->steps[1] && !level->mute[0] && !level->mute[1]) {
		if (m)
			mtap_stop(m);
		return ST_OK;
	}
	if (m) {
		m->level = *level;
		return mtap_tell(m); /* in place of the one before */
	}
	m = mtap_new(s, &level_ops);
	if (m)
		m->level = *level;
	return mtap_start(m, NULL);
}

int mstream_spy(struct mstream *listener, struct mstream *target, unsigned flags, uint32_t *id_out)
{
	int st = listener == target || listener->join == JOIN_RELAY ? ST_INVAL : tap_can(target);
	if (!st)
		st = tap_can(listener);
	if (st)
		return st;
	struct mtap *m = mtap_new(target, &spy_ops);
	if (!m)
		return ST_NOMEM;
	m->spy_flags = flags;
	m->listener = mem_ref(listener);
	list_push(&listener->spying, &m->spying);
	return mtap_start(m, id_out);
}

int mstream_spy_set(struct mstream *target, uint32_t id, unsigned flags)
{
	struct rt_cmd c = {.kind = RT_C_TAP_SET, .number = id, .flags = (int32_t)flags};
	struct mtap *m = mtap_find(target, id);
	if (!m || !m->listener || m->is_stopped)
		return ST_NOTFOUND;
	m->spy_flags = flags;
	return m->is_told ? mstream_post(target, &c) : ST_OK;
}

int mstream_displace(
    struct mstream *s, const char *source, const struct media_displace_conf *conf, int loops, uint32_t *id_out)
{
	int st = tap_can(s);
	if (st || (!conf->on_read && !conf->on_write))
		return st ? st : ST_INVAL;
	struct mtap *m = mtap_new(s, &displace_ops);
	if (!m)
		return ST_NOMEM;
	m->displace = *conf;
	st = play_prepare(s, source, loops, conf->on_read ? &s->params.recv : &s->params.send, m->id);
	if (st)
		mtap_free(m);
	else if (id_out)
		*id_out = m->id;
	return st;
}

void displace_ready(struct mstream *s, uint32_t id, struct mplay *p, int status)
{
	struct mtap *m = mtap_find(s, id);
	if (!m || m->is_stopped || status) {
		play_drop(p);
		if (m && !m->is_stopped)
			mtap_over(m, status);
		return;
	}
	m->play = p;
	status = mtap_tell(m);
	if (status)
		mtap_over(m, status);
}

int mstream_detect_tone(struct mstream *s, const struct media_tone_conf *conf, uint32_t *id_out)
{
	int st = conf->freq_count && conf->freq_count <= MEDIA_TONE_FREQS_MAX ? tap_can(s) : ST_INVAL;
	struct mtap *m = st ? NULL : mtap_new(s, &tone_ops);
	if (m)
		m->tone = *conf;
	return st ? st : mtap_start(m, id_out);
}

int mstream_detect_cadence(struct mstream *s, const struct media_cadence_conf *conf, uint32_t *id_out)
{
	int st = tap_can(s);
	struct media_cadence_conf *copy = st ? NULL : mem_alloc(sizeof(*copy));
	struct mtap *m = copy ? mtap_new(s, &cadence_ops) : NULL;
	if (m)
		*copy = *conf, m->cadence = copy;
	else
		mem_free(copy);
	return st ? st : copy ? mtap_start(m, id_out) : ST_NOMEM;
}

int mstream_detect_energy(struct mstream *s, const struct media_energy_conf *conf, uint32_t *id_out)
{
	int st = conf->hits ? tap_can(s) : ST_INVAL;
	struct mtap *m = st ? NULL : mtap_new(s, &energy_ops);
	if (m)
		m->energy = *conf;
	return st ? st : mtap_start(m, id_out);
}

int mstream_preprocess(struct mstream *s, const struct media_preproc_conf *conf, uint32_t *id_out)
{
	int st = conf->is_on[0] || conf->is_on[1] ? tap_can(s) : ST_INVAL;
	struct mtap *m = st ? NULL : mtap_new(s, &preproc_ops);
	if (m)
		m->preproc = *conf;
	return st ? st : mtap_start(m, id_out);
}

int mstream_ear(struct mstream *s, const struct media_ear_conf *conf, uint32_t *id_out)
{
	int st = tap_can(s);
	struct mtap *m = st ? NULL : mtap_new(s, &ear_ops);
	if (m)
		m->ear = *conf;
	return st ? st : mtap_start(m, id_out);
}

/* One of a kind. */
ON_CTL static int mtap_switch(struct mstream *s, const struct mtap_ops *ops, bool is_on)
{
	struct mtap *m = mtap_find_kind(s, ops);
	if (!is_on == !m)
		return ST_OK;
	if (m) {
		mtap_stop(m);
		return ST_OK;
	}
	int st = tap_can(s);
	return st ? st : mtap_start(mtap_new(s, ops), NULL);
}

int mstream_detect_voice(struct mstream *s, bool is_on)
{
	return mtap_switch(s, &voice_ops, is_on);
}

int mstream_detect_dtmf(struct mstream *s, bool is_on)
{
	return mtap_switch(s, &dtmf_ops, is_on);
}

int mstream_port(struct mstream *s, struct media_port *port, uint32_t *id_out)
{
	int st = tap_can(s);
	struct mtap *m = st ? NULL : mtap_new(s, &port_ops);
	if (m)
		m->port = mem_ref(port);
	return st ? st : mtap_start(m, id_out);
}

int tap_room(struct mstream *s, struct mroom_in *in, uint32_t *id_out)
{
	int st = tap_can(s);
	struct mtap *m = st ? NULL : mtap_new(s, &room_ops);
	if (m)
		m->in = in;
	return st ? st : mtap_start(m, id_out);
}

int mstream_tap_stop(struct mstream *s, uint32_t id)
{
	struct mtap *m = mtap_find(s, id);
	if (m)
		mtap_stop(m);
	return m ? ST_OK : ST_NOTFOUND;
}

void tap_reported(struct mstream *s, struct rt_tap *tap)
{
	struct mtap *m = mtap_find(s, tap->id);
	struct media_report r = {.kind = MEDIA_R_TAP_DONE, .id = tap->id, .status = tap->status};
	int status = tap->status;
	CHECK(m);
	bool is_again = (status == ST_CLOSED || status == ST_AGAIN) && !m->is_stopped && !s->is_closing;
	if (is_again && m->ops->keep)
		m->ops->keep(m, tap);
	else if (m->ops->take_back)
		m->ops->take_back(m, tap, &r);
	rt_tap_free(tap);
	m->is_told = false;
	if (is_again) {
		r.status = mtap_tell(m);
		if (!r.status)
			return;
	}
	mtap_over_with(m, &r);
}

void tap_event(struct mstream *s, uint32_t id, uint32_t number)
{
	struct media_report r = {.kind = MEDIA_R_TAP_EVENT, .id = id, .number = number};
	struct mtap *m = mtap_find(s, id);
	if (m && m->in)
		mroom_tap_event(m->in);
	else if (m && !m->is_stopped)
		mstream_report(s, &r);
}

/* Other rates: lanes and filters are made anew. A room's tap is made for the codec, its packets and its parameters. */
void taps_params_changed(struct mstream *s)
{
	uint32_t recv_hz = s->params.recv.rate_hz, send_hz = s->params.send.rate_hz;
	struct lnode *it, *tmp;
	list_each (&s->taps, it, tmp) {
		struct mtap *m = list_entry(it, struct mtap, link);
		struct rt_cmd c = {.kind = RT_C_TAP_STOP, .number = m->id, .flags = ST_AGAIN};
		if (m->is_told && (m->in || m->told_recv_hz != recv_hz || m->told_send_hz != send_hz))
			(void)mstream_post(s, &c);
	}
	list_each (&s->spying, it, tmp) {
		struct mtap *m = list_entry(it, struct mtap, spying);
		struct rt_cmd c = {.kind = RT_C_TAP_STOP, .number = m->id, .flags = ST_AGAIN};
		if (m->is_told)
			(void)mstream_post(m->s, &c);
	}
}

ON_CTL static void mtap_retry(struct mtap *m)
{
	int st = m->is_told || m->is_stopped ? ST_OK : mtap_tell(m);
	if (st)
		mtap_over(m, st);
}

void taps_moved(struct mstream *s)
{
	struct lnode *it, *tmp;
	list_each (&s->taps, it, tmp)
		if (list_entry(it, struct mtap, link)->listener)
			mtap_retry(list_entry(it, struct mtap, link));
	list_each (&s->spying, it, tmp)
		mtap_retry(list_entry(it, struct mtap, spying));
}

/* The media thread ends what is on the stream; what never got there, and what the stream hears elsewhere, ends here. */
void taps_close(struct mstream *s)
{
	struct lnode *it, *tmp;
	list_each (&s->spying, it, tmp)
		mtap_stop(list_entry(it, struct mtap, spying));
	list_each (&s->taps, it, tmp)
		if (!list_entry(it, struct mtap, link)->is_told)
			mtap_stop(list_entry(it, struct mtap, link));
}
