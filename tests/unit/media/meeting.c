#include "meeting.h"
#include "base/mem.h"

enum { WAIT_MS = 8000, TOLD_MAX = 64 };
const struct mroom_member plain = {.can_speak = true, .can_hear = true};

struct mroom *room;
static struct mroom_report told[TOLD_MAX];
static size_t told_count;

static void on_report(struct mroom *r, const struct mroom_report *report, void *arg)
{
	if (told_count < TOLD_MAX)
		told[told_count++] = *report;
}

struct wanted {
	enum mroom_report_kind kind;
	uint32_t id;
	bool is_on;
};
static bool was_told(void *arg)
{
	const struct wanted *w = arg;
	for (size_t i = 0; i < told_count; i++)
		if (told[i].kind == w->kind && told[i].id == w->id && told[i].is_on == w->is_on)
			return true;
	return false;
}

int wait_told(enum mroom_report_kind kind, uint32_t id, bool is_on)
{
	role_assert_ctl();
	return pump(was_told, &(struct wanted){kind, id, is_on}, WAIT_MS);
}

int meet(size_t count, const struct mroom_conf *conf)
{
	role_assert_ctl();
	told_count = 0;
	EXPECT_INT(mroom_open(&room, conf, on_report, NULL), ST_OK);
	for (size_t i = 0; i < count; i++) {
		peers[i].is_sending = true, peers[i].hz = hz_all[i];
		EXPECT_INT(mroom_join(room, peers[i].s, (uint32_t)i + 1, &plain), ST_OK);
	}
	return 0;
}

int gather(unsigned threads, size_t count, const struct mroom_conf *conf)
{
	role_assert_ctl();
	EXPECT_INT(room_start(threads, count), 0);
	return meet(count, conf);
}

int scatter(void)
{
	role_assert_ctl();
	mroom_close(room);
	mem_unref(room);
	return room_stop();
}
