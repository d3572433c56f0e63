/* What a negotiation of a leg is told: the profile's conf and the leg's variables as one typed struct, and which codecs
 * come first or may be offered at all, given who is on the other side. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/acl.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *media_wanted_codecs(struct leg *leg, const char *of_profile)
{
	const char *v = vars_get(leg->vars, "absolute_codec_string");
	if (!v)
		v = vars_get(leg->vars, "codec_string");
	return v ? v : of_profile;
}

/* What the codecs' configuration says of format parameters, where the codec string says nothing. */
static ON_CTL void fmtp_fill(struct sdp_codecs *list, bool is_offer)
{
	for (size_t i = 0; i < list->count; i++) {
		struct sdp_codec *c = &list->v[i];
		if (!c->fmtp[0])
			(void)mctl_codec_fmtp(c->name, c->clock_hz, c->channels, is_offer, c->fmtp, sizeof(c->fmtp));
	}
}

/* A variable that is on unless it says otherwise. */
static ON_CTL bool is_on(struct leg *leg, const char *name)
{
	const char *v = vars_get(leg->vars, name);
	return !v || !*v || str_is_true(v);
}

static bool is_plain(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return true;
}

/* The lines, each with its CR LF; false: one is none, or there are too many. */
static bool lines_read(struct sv text, char *out)
{
	size_t n = 0;
	while (text.n) {
		struct sv line;
		sv_split(text, '\n', &line, &text);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n < 3 || (line.p[0] != 'a' && line.p[0] != 'b') || line.p[1] != '=' || !is_plain(line) ||
		    n + line.n + 3 > MEDIA_APPEND_MAX)
			return false;
		n += (size_t)snprintf(out + n, MEDIA_APPEND_MAX - n, "%.*s\r\n", SVF(line));
	}
	out[n] = 0;
	return true;
}

static bool fmtp_read(struct sv text, char *out)
{
	if (text.n >= SDP_FMTP_MAX || !is_plain(text))
		return false;
	snprintf(out, SDP_FMTP_MAX, "%.*s", SVF(text));
	return true;
}

/* What a variable says in SDP's own words. From outside, or no such words: told and left out. */
static ON_CTL struct sv words_of(struct leg *leg, const char *name, bool (*read)(struct sv text, char *out), char *out)
{
	struct buf scratch;
	struct sv got = SV_NONE;

	if (!vars_get(leg->vars, name))
		return got;
	buf_init(&scratch);
	struct sv text = sv_of(leg_text(leg, name, &scratch));
	if (mark_has(text) || !read(text, out))
		leg_log(
		    leg, LOG_WARNING, "%s: left out, it is from outside or nothing that SDP could have there", name);
	else
		got = sv_of(out);
	buf_fini(&scratch);
	return got;
}

int media_policy_new(struct leg *leg, const char *codecs, struct media_policy **out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = mem_alloc(sizeof(*q)); /* the lists are as long as they say: they need no zeros */
	const char *mode = vars_get(leg->vars, "rtp_codec_negotiation");
	struct sv bad = SV_NONE;
	int st;

	if (!q)
		return ST_NOMEM;
	q->p = (struct sdp_policy){.mode = SDP_GENEROUS};
	q->prefs.count = q->first.count = 0;
	q->parts = NULL;
	q->m = m;
	sdp_running_unpack(m->running, &q->running);
	st = sdp_codecs_parse(sv_of(media_wanted_codecs(leg, codecs)), &q->prefs, NULL, &bad);
	if (st) {
		leg_log(leg, LOG_ERR, "bad codec '%.*s' in a codec string", SVF(bad));
		mem_free(q);
		return st;
	}
	fmtp_fill(&q->prefs, false);
	q->p.prefs = &q->prefs;
	sdp_mode_parse(sv_of(m->texts->negotiation), &q->p.mode);
	if (mode)
		sdp_mode_parse(sv_of(mode), &q->p.mode);
	q->p.host = sv_of(m->texts->advertise_host);
	q->p.port = addr_port(&m->local);
	q->p.are_events_assumed = m->are_events_assumed || leg_var_is_true(leg, "rtp_liberal_dtmf");
	q->p.dtmf_pt =
	    (int16_t)(media_dtmf_type(leg) == MEDIA_DTMF_EVENTS || q->p.are_events_assumed ? m->dtmf_pt : -1);
	q->p.cn_pt = (int16_t)(media_comfort_is_spoken(leg) ? m->cn_pt : -1);
	q->p.dir = SDP_SENDRECV;
	q->p.user = sv_of(m->texts->username);
	q->p.session_id = m->session_id;
	q->p.is_rtcp_mux_allowed = true;
	q->p.has_red = leg_var_is_true(leg, "rtp_audio_red");
	q->p.is_xr_offered = leg_var_is_true(leg, "rtcp_xr");
	q->p.is_xr_allowed = is_on(leg, "rtcp_xr");
	q->p.is_terse = !is_on(leg, "verbose_sdp");
	q->p.append = words_of(leg, "rtp_append_audio_sdp", lines_read, q->append);
	q->p.answer_fmtp = words_of(leg, "rtp_force_audio_fmtp", fmtp_read, q->answer_fmtp);
	*out = q;
	return ST_OK;
}

static void codecs_add(struct sdp_codecs *to, const struct sdp_codec *c)
{
	for (size_t i = 0; i < to->count; i++)
		if (sdp_codec_is_same(&to->v[i], c))
			return;
	if (to->count < SDP_CODECS_MAX)
		to->v[to->count++] = *c;
}

bool media_codecs_have(const struct sdp_codecs *list, const struct sdp_codec *c)
{
	for (size_t i = 0; i < list->count; i++)
		if (sdp_codec_is_same(&list->v[i], c))
			return true;
	return false;
}

static ON_CTL bool current_of(struct leg *of, struct sdp_codec *out)
{
	const struct media_codec *c = of ? of->codec : NULL;

	if (!c)
		return false;
	sdp_codec_init(out, sv_of(c->name));
	out->clock_hz = c->clock_hz, out->rate_hz = c->rate_hz, out->channels = c->channels,
	out->ptime_ms = c->ptime_ms;
	out->pt_send = out->pt_recv = -1; /* that of the codec's first rate, else: an offer finds its own */
	if (sound_of(of)->media && sound_of(of)->media->codec_fmtp)
		snprintf(out->fmtp, sizeof(out->fmtp), "%s", sound_of(of)->media->codec_fmtp);
	sdp_codec_form(out);
	return true;
}

void media_fmtp_of(struct leg_media *m, const struct sdp_codec *theirs)
{
	mem_free(m->codec_fmtp);
	m->codec_fmtp = NULL;
	if (theirs->fmtp[0] && (sdp_codec_has_variants(theirs) || !mctl_codec_is_known(theirs->name)))
		m->codec_fmtp = sv_dup(sv_of(theirs->fmtp)); /* no memory: as if they had said nothing */
}

bool media_is_passable(struct leg *a, struct leg *b)
{
	struct sdp_codec x, y;

	return current_of(a, &x) && current_of(b, &y) && sdp_codec_is_same(&x, &y);
}

/* A wish without parameters takes any form. */
static bool is_wished(const struct sdp_codecs *list, const struct sdp_codec *c)
{
	struct sdp_codec bare = *c;

	bare.fmtp[0] = 0;
	for (size_t i = 0; i < list->count; i++)
		if (sdp_codec_is_same(&list->v[i], list->v[i].fmtp[0] ? c : &bare))
			return true;
	return false;
}

static ON_CTL bool has_two(const struct sdp_codec *c, bool takes)
{
	return mctl_codec_has_two(c->name, c->clock_hz, c->channels, c->fmtp, takes);
}

void media_stereo_of(struct leg_media *m, const struct sdp_codec *theirs)
{
	m->takes_stereo = has_two(theirs, true);
	m->sends_stereo = has_two(theirs, false);
}

/* Adds what we say of two channels to what we say of an Opus (RFC 7587: whether we like to get them, whether we are
 * likely to send them). */
static ON_CTL void stereo_put(struct sdp_codec *c, bool gets, bool sends)
{
	size_t n = strlen(c->fmtp);

	if (!strcasecmp(c->name, "opus") && (gets || sends))
		snprintf(c->fmtp + n, sizeof(c->fmtp) - n, "%s%s%s%s", n ? "; " : "", gets ? "stereo=1" : "",
		    gets && sends ? "; " : "", sends ? "sprop-stereo=1" : "");
}

/* The same to a phone that takes, or sends, two: its channels are kept by us (a file, an echo), or go to and come from
 * another phone. */
static ON_CTL void stereo_answer(struct sdp_codec *c, bool takes, bool sends, struct leg *other)
{
	const struct leg_media *o = other && other->codec ? sound_of(other)->media : NULL;
	bool has_other = other && other->codec;

	stereo_put(c, sends && (!has_other || (o && o->takes_stereo)), takes && (!has_other || (o && o->sends_stereo)));
}

/* told: who is told of the codec of `of`. Packets of one Opus go to the other as they are, so each phone is told of the
 * other's two channels. */
static ON_CTL void stereo_tell(struct leg *of, struct leg *told, struct sdp_codec *c)
{
	const struct leg_media *m = sound_of(of)->media;

	if (strcasecmp(c->name, "opus") != 0 || !m || !(m->takes_stereo || m->sends_stereo))
		return;
	(void)mctl_codec_fmtp(c->name, c->clock_hz, c->channels, true, c->fmtp, sizeof(c->fmtp));
	if (of == told)
		stereo_answer(c, m->takes_stereo, m->sends_stereo, of->peer);
	else
		stereo_put(c, m->takes_stereo, m->sends_stereo);
}

void media_add_current(struct leg *of, struct leg *told, struct sdp_codecs *to)
{
	struct sdp_codec s;

	if (!current_of(of, &s))
		return;
	if (sound_of(told)->media->is_g726_aal2 && !strncasecmp(s.name, "AAL2-G726-", 10))
		memmove(s.name, s.name + 5, strlen(s.name + 5) + 1); /* what its own SDP calls so */
	stereo_tell(of, told, &s);
	codecs_add(to, &s);
}

/* Each side says what it takes itself (RFC 7587 section 7). c: an Opus that is agreed to; theirs: what was offered. */
static ON_CTL void opus_answer(struct sdp_codec *c, const struct sdp_codecs *theirs, struct leg *near)
{
	const struct sdp_codec *offered = NULL;

	for (size_t i = 0; i < theirs->count && !offered; i++)
		if (sdp_codec_is_same(&theirs->v[i], c))
			offered = &theirs->v[i];
	bool takes = offered && has_two(offered, true), sends = offered && has_two(offered, false);
	if (mctl_codec_fmtp(c->name, c->clock_hz, c->channels, false, c->fmtp, sizeof(c->fmtp)))
		stereo_answer(c, takes, sends, near);
}

int media_prefer_for_answer(struct leg_media *m, struct leg *near, struct media_policy *q)
{
	struct sdp_codecs *theirs;
	struct sdp_codecs *order;
	const struct sdp_codecs *other;
	bool is_known = near && near->codec && mctl_codec_is_known(near->codec->name);
	int st;

	q->p.first = &q->first;
	if (near && near->codec && m->is_transcoding_off) { /* theirs, or none */
		media_add_current(near, m->leg, &q->first);
		if (is_wished(&q->prefs, &q->first.v[0])) {
			q->prefs = q->first;
			return ST_OK;
		}
		q->prefs.count = 0;
		return ST_UNSUPPORTED;
	}
	if (near && near->codec && (!is_known || is_on(m->leg, "inherit_codec"))) {
		media_add_current(near, m->leg, &q->first);
		/* A near leg of a known codec can be transcoded to any known one; else nothing but its own helps. */
		if (!mctl_codec_is_known(near->codec->name)) {
			q->p.is_ptime_kept = true; /* nor are its packets cut anew */
			return ST_OK;
		}
	}
	theirs = mem_alloc(sizeof(*theirs));
	if (!theirs)
		return ST_NOMEM;
	st = sdp_offer_codecs(sv_of(m->remote_sdp), theirs);
	order = q->p.mode == SDP_GENEROUS ? theirs : &q->prefs;
	other = q->p.mode == SDP_GENEROUS ? &q->prefs : theirs;
	for (size_t i = 0; !st && i < order->count; i++) {
		struct sdp_codec *c = &order->v[i];
		if (!mctl_codec_is_known(c->name) || !media_codecs_have(other, c))
			continue;
		if (!strcasecmp(c->name, "opus"))
			opus_answer(c, theirs, near);
		codecs_add(&q->first, c);
	}
	mem_free(theirs);
	return st;
}

static ON_CTL void keep_joinable(struct sdp_codecs *list, const struct sdp_codec *with)
{
	bool is_known = mctl_codec_is_known(with->name);
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct sdp_codec c = list->v[i];
		if (!is_known && !c.fmtp[0]) /* it would take any form, and none but this one can be passed on */
			snprintf(c.fmtp, sizeof(c.fmtp), "%s", with->fmtp);
		if (sdp_codec_is_same(&c, with) || (is_known && mctl_codec_is_known(c.name)))
			list->v[kept++] = c;
	}
	list->count = kept;
}

void media_keep_joinable(struct leg *leg, struct media_policy *q)
{
	struct leg *peer = leg->peer;
	struct sdp_codec with;

	if (!current_of(peer ? peer : leg, &with) || (!peer && !mctl_codec_is_known(with.name)))
		return;
	keep_joinable(&q->prefs, &with);
	keep_joinable(&q->first, &with);
}

int media_bound_offer(struct leg *leg, struct leg *originator, struct media_policy *q)
{
	bool is_absolute = vars_get(leg->vars, "absolute_codec_string") != NULL, has_known = !originator;
	bool is_bound = originator && originator != leg &&
	                (sound_of(leg)->media->is_transcoding_off || !is_on(leg, "media_mix_inbound_outbound_codecs") ||
	                    (sound_of(originator)->media && sound_of(originator)->media->is_transcoding_off));
	struct sdp_codecs *list, *theirs = NULL;
	int st = ST_OK;

	if (is_absolute) {
		fmtp_fill(&q->prefs, true);
		return ST_OK;
	}
	list = mem_alloc(2 * sizeof(*list));
	if (!list)
		return ST_NOMEM;
	theirs = list + 1;
	list->count = theirs->count = 0;
	if (originator && originator->codec)
		media_add_current(originator, leg, theirs);
	else if (originator && sound_of(originator)->media && sound_of(originator)->media->remote_sdp)
		st = sdp_offer_codecs(sv_of(sound_of(originator)->media->remote_sdp), theirs);
	else
		has_known = true;
	if (originator && originator->codec && (originator == leg || is_wished(&q->prefs, &theirs->v[0])))
		codecs_add(list, &theirs->v[0]); /* what runs goes on */
	fmtp_fill(&q->prefs, true);
	for (size_t i = 0; i < theirs->count; i++) {
		if (media_codecs_have(&q->prefs, &theirs->v[i]))
			codecs_add(list, &theirs->v[i]);
		has_known |= mctl_codec_is_known(theirs->v[i].name);
	}
	if (is_bound && theirs->count) /* nothing but what the originator speaks */
		has_known = false;
	/* behind the originator's own, only what is cheap to make of it: another codec is for a codec string to ask for
	 */
	for (size_t i = 0; has_known && i < q->prefs.count; i++)
		if (theirs->count ? mctl_codec_is_cheap(q->prefs.v[i].name) : mctl_codec_is_known(q->prefs.v[i].name))
			codecs_add(list, &q->prefs.v[i]);
	if (st)
		st = ST_UNSUPPORTED; /* no line of theirs could be answered */
	else if (list->count)
		q->prefs = *list;
	else if (theirs->count)
		st = ST_UNSUPPORTED; /* nothing the far side could choose would reach the originator */
	mem_free(list);
	return st;
}

/* ---- whom to believe ---- */

bool media_source_mode_parse(const char *text, enum media_source_mode *out)
{
	static const char *const names[] = {
	    [MEDIA_SOURCE_STRICT] = "strict", [MEDIA_SOURCE_NAT] = "nat", [MEDIA_SOURCE_OFF] = "off"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (!strcasecmp(text, names[i])) {
			*out = (enum media_source_mode)i;
			return true;
		}
	}
	return false;
}

static ON_CTL bool is_in(const char *lists, const struct addr *a)
{
	return *lists && strcmp(lists, "none") != 0 && acl_allows(sv_of(lists), a, NULL, NULL);
}

/* A private address in the SDP of somebody whose signalling comes from elsewhere: it is one of his own network, or of
 * one behind a proxy. Signalling from this very machine is a proxy's; our own network's phones it may well serve. */
static ON_CTL bool is_hidden(const struct leg_media *m, const struct addr *remote)
{
	const struct addr *from = &m->signal_from;

	if (!addr_is_set(remote) || !addr_is_set(from) || addr_eq_host(remote, from))
		return false;
	if (addr_is_private(remote) && !addr_is_private(from) && !addr_is_loopback(from))
		return true;
	if (is_in(m->texts->local_acl, remote))
		return false;
	return (addr_is_private(remote) && addr_is_loopback(from)) || is_in(m->texts->nat_acl, remote);
}

void media_source_policy(struct leg *leg, struct media_params *p)
{
	const struct leg_media *m = sound_of(leg)->media;
	const char *own = vars_get(leg->vars, "rtp_source");

	p->source_mode = m->source_mode;
	if (leg_var_is_true(leg, "disable_rtp_auto_adjust"))
		p->source_mode = MEDIA_SOURCE_STRICT;
	if (own && *own && !media_source_mode_parse(own, &p->source_mode))
		leg_log(leg, LOG_WARNING, "rtp_source: \"%s\" is none of strict, nat, off", own);
	p->signal_hosts[0] = m->signal_from;
	for (unsigned i = 0; i < m->signal_named_count; i++)
		p->signal_hosts[1 + i] = m->signal_named[i];
	p->is_remote_hidden = is_hidden(m, &p->remote_rtp);
}
