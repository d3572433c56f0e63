/* TEMPORARY until the mixer is merged. */
#include "base/mem.h"
#include "conference/conf_i.h"
struct mixer_room {
	int x;
};
int conf_mix_open(struct conf_room *room)
{
	(void)room;
	return ST_OK;
}
void conf_mix_close(struct conf_room *room)
{
	(void)room;
}
int conf_mix_join(struct conf_member *m)
{
	(void)m;
	return ST_OK;
}
void conf_mix_leave(struct conf_member *m)
{
	(void)m;
}
void conf_mix_tell(struct conf_member *m)
{
	(void)m;
}
void conf_mix_relate(struct conf_room *room, const struct conf_relation *r)
{
	(void)room;
	(void)r;
}
static uint32_t ids;
struct tmp {
	struct ltimer t;
	struct conf_room *r;
	uint32_t id;
	bool begun;
	bool endless;
};
static void tmp_fire(void *arg)
{
	struct tmp *t = arg;
	role_assert_ctl();
	bool was = t->begun;
	t->begun = true;
	struct conf_room *r = t->r;
	if (!was && !t->endless) {
		conf_play_told(r, t->id, true, 0);
		loop_timer_set(&t->t, 260000, "tmp", tmp_fire, t);
		return;
	}
	if (!was) {
		conf_play_told(r, t->id, true, 0);
	} else
		conf_play_told(r, t->id, false, 0);
	mem_unref(r);
	mem_free(t);
}
int conf_mix_play(struct conf_play *p)
{
	if (strstr(p->source, "nosuch"))
		return ST_NOTFOUND;
	p->id = ++ids;
	struct tmp *t = mem_zalloc(sizeof *t);
	t->r = mem_ref(p->room);
	t->id = p->id;
	t->endless = p->loops != 0;
	loop_timer_set(&t->t, 2000, "tmp", tmp_fire, t);
	return ST_OK;
}
void conf_mix_play_stop(struct conf_play *p)
{
	(void)p;
}
int conf_mix_play_pause(struct conf_play *p, bool is_paused)
{
	(void)p;
	(void)is_paused;
	return 0;
}
int conf_mix_play_seek(struct conf_play *p, bool is_relative, int ms)
{
	(void)p;
	(void)is_relative;
	(void)ms;
	return 0;
}
int conf_mix_play_volume(struct conf_play *p)
{
	(void)p;
	return 0;
}
int conf_mix_record(struct conf_record *r)
{
	r->mix_id = ++ids;
	return 0;
}
void conf_mix_record_stop(struct conf_record *r)
{
	conf_record_told(r->room, r->mix_id, 0, 8000);
}
void conf_mix_record_pause(struct conf_record *r)
{
	(void)r;
}
