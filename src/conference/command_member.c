/* Sub-commands that do something to each member that their first word names. */
#include "base/mem.h"
#include "conference/command_i.h"
#include "core/door/door.h"
#include "core/keys/dtmf.h"
#include "text/mark.h"
#include <stdlib.h>
#include <strings.h>

enum { LEVEL_MAX = 32767, STEP = 200, VOLUME_MAX = 4 };

/* A new value, or up or down a step from what there is. */
static int value_of(const char *text, int now, int step, int low, int high)
{
	int64_t to = !strcasecmp(text, "up")     ? now + step
	             : !strcasecmp(text, "down") ? now - step
	                                         : str_number(text, low, high);
	return to < low ? low : to > high ? high : (int)to;
}

void cmd_energy(struct conf_call *x, struct conf_member *m)
{
	m->energy_level = conf_mix_energy(m);
	if (x->n > 1) {
		m->is_level_set = true;
		m->energy_level = (unsigned)value_of(x->w[1], (int)m->energy_level, STEP, 0, LEVEL_MAX);
		conf_mix_tell(m);
		conf_event_member_with(m, "energy-level-member", "Energy-Level", "%u", m->energy_level);
	}
	buf_printf(x->out, "Energy %u = %u\n", m->id, m->energy_level);
}

void cmd_auto_energy(struct conf_call *x, struct conf_member *m)
{
	m->energy_level = conf_mix_energy(m);
	if (x->n > 1) {
		m->auto_energy_level = (unsigned)value_of(x->w[1], (int)m->auto_energy_level, STEP, 0, LEVEL_MAX);
		conf_mix_tell(m);
		conf_event_member_with(m, "auto-energy-level-member", "Energy-Level", "%u", m->auto_energy_level);
	}
	buf_printf(x->out, "%u = Auto-Energy: %u Energy: %u\n", m->id, m->auto_energy_level, m->energy_level);
}

void cmd_max_energy(struct conf_call *x, struct conf_member *m)
{
	const struct conf_profile *p = m->room->profile;
	m->energy_level = conf_mix_energy(m);
	if (x->n > 1) {
		m->max_energy_level = (unsigned)value_of(x->w[1], (int)m->max_energy_level, STEP, 0, LEVEL_MAX);
		conf_mix_tell(m);
		conf_event_member_with(m, "max-energy-level-member", "Energy-Level", "%u", m->max_energy_level);
	}
	buf_printf(x->out, "%u = Max-Energy: %u Energy: %u Max-Energy-Mute: %ums Max-Energy-Hit-Trigger %u\n", m->id,
	    m->max_energy_level, m->energy_level, p->max_energy_mute_ms, p->max_energy_hit_trigger);
}

void cmd_agc(struct conf_call *x, struct conf_member *m)
{
	if (x->n > 1) {
		m->agc_level = !strcasecmp(x->w[1], "off") ? 0
		               : !strcasecmp(x->w[1], "on")
		                   ? (m->room->profile->agc_level ? m->room->profile->agc_level : 1100)
		                   : (unsigned)str_number(x->w[1], 0, LEVEL_MAX);
		conf_mix_tell(m);
		conf_event_member_with(m, "agc-level-member", "Agc-Level", "%u", m->agc_level);
	}
	buf_printf(x->out, "+OK AGC %u = %u\n", m->id, m->agc_level);
}

static ON_CTL void volume(struct conf_call *x, struct conf_member *m, int *of, const char *action, const char *name)
{
	if (x->n > 1) {
		*of = value_of(x->w[1], *of, 1, -VOLUME_MAX, VOLUME_MAX);
		conf_mix_tell(m);
		conf_event_member_with(m, action, "Volume-Level", "%d", *of);
	}
	buf_printf(x->out, "+OK Volume %s %u = %d\n", name, m->id, *of);
}

void cmd_volume_in(struct conf_call *x, struct conf_member *m)
{
	volume(x, m, &m->volume_in, "volume-in-member", "IN");
}

void cmd_volume_out(struct conf_call *x, struct conf_member *m)
{
	volume(x, m, &m->volume_out, "volume-out-member", "OUT");
}

static bool is_quiet(const struct conf_call *x)
{
	return x->n > 1 && !strcasecmp(x->w[1], "quiet");
}

void cmd_mute(struct conf_call *x, struct conf_member *m)
{
	conf_member_mute(m, true, is_quiet(x));
	buf_printf(x->out, "+OK mute %u\n", m->id);
}

void cmd_unmute(struct conf_call *x, struct conf_member *m)
{
	conf_member_mute(m, false, is_quiet(x));
	buf_printf(x->out, "+OK unmute %u\n", m->id);
}

void cmd_tmute(struct conf_call *x, struct conf_member *m)
{
	if (m->is_muted)
		cmd_unmute(x, m);
	else
		cmd_mute(x, m);
}

void cmd_deaf(struct conf_call *x, struct conf_member *m)
{
	conf_member_deaf(m, true, is_quiet(x));
	buf_printf(x->out, "+OK deaf %u\n", m->id);
}

void cmd_undeaf(struct conf_call *x, struct conf_member *m)
{
	conf_member_deaf(m, false, is_quiet(x));
	buf_printf(x->out, "+OK undeaf %u\n", m->id);
}

/* A file that a word names, for who may not do everything by his door; NULL after saying why not. */
static ON_CTL char *sound_of(struct conf_call *x, int i)
{
	const char *why = "";
	struct buf b;
	if (!x->api->who)
		return mem_strdup(x->m[i]);
	buf_init(&b);
	if (!principal_put_file(&b, x->w[i], false, &why))
		return buf_take(&b);
	buf_fini(&b);
	buf_printf(x->out, "-ERR %s\n", why);
	return NULL;
}

void cmd_hold(struct conf_call *x, struct conf_member *m)
{
	char *sound = x->n > 1 ? sound_of(x, 1) : NULL;
	if (x->n < 2 || sound) {
		conf_member_hold(m, true, sound);
		buf_printf(x->out, "+OK hold %u\n", m->id);
	}
	mem_free(sound);
}

void cmd_unhold(struct conf_call *x, struct conf_member *m)
{
	conf_member_hold(m, false, NULL);
	buf_printf(x->out, "+OK unhold %u\n", m->id);
}

void cmd_kick(struct conf_call *x, struct conf_member *m)
{
	if (x->n > 1) {
		char *sound = sound_of(x, 1);
		if (!sound)
			return;
		mem_free(m->leave_sound);
		m->leave_sound = sound;
	}
	conf_member_leave(m, CONF_KICKED);
	buf_printf(x->out, "+OK kicked %u\n", m->id);
}

void cmd_hup(struct conf_call *x, struct conf_member *m)
{
	conf_member_leave(m, CONF_HUNG_UP);
	buf_printf(x->out, "+OK hup %u\n", m->id);
}

void cmd_dtmf(struct conf_call *x, struct conf_member *m)
{
	if (x->n < 2 || leg_dtmf_send(m->leg, x->w[1])) {
		buf_adds(x->out, "-ERR Invalid input!\n");
		return;
	}
	conf_event_member_with(m, "dtmf-member", "Digits", "%s", x->w[1]);
	buf_printf(x->out, "+OK sent %s to %u\n", x->w[1], m->id);
}
