/* A disk that hangs stops nothing but its own file. The media thread starts at once and writes into the record's ring;
 * worker jobs, one at a time for a record, open the file, drain the ring into it and close it. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "file/file.h"
#include "loop/work.h"
#include "media/ctl/ctl_i.h"

#include <string.h>
#include <unistd.h>

enum { CHUNK_SAMPLES = 4096 };

struct mrecord {
	struct lnode link; /* in the stream's records */
	struct mstream *s; /* a reference */
	uint32_t id;
	struct rt_record *rec; /* back from the media thread */
	struct rt_ring *ring;
	uint32_t in_hz[2]; /* its sides come at, as the media thread knows; 0: not recorded */
	bool is_job_running, is_wanted, is_back, was_given_up, is_cut_wanted, is_loss_told;
	/* the worker's while a job runs */
	char *path, *url; /* url: where the file is sent when it is complete, or NULL */
	struct file_writer_conf conf;
	char *tags[FILE_TAG_COUNT];
	bool removes_empty, is_removed;
	uint64_t min_frames;
	struct file_writer *writer;
	bool was_opened, is_cutting;
	int status;
	uint64_t frames;
};

static const struct mctl_url_writer *url_writer;

void mctl_set_url_writer(const struct mctl_url_writer *w)
{
	url_writer = w;
}

ON_WORK static void mrecord_open(struct mrecord *m)
{
	char err[FILE_ERR_MAX] = "";
	m->was_opened = true;
	m->status = file_writer_open(&m->writer, m->path, &m->conf, err);
	if (m->status)
		log_error("media: %s: %s", m->path, err);
}

ON_WORK static void mrecord_drain(struct mrecord *m)
{
	int16_t pcm[CHUNK_SAMPLES];
	struct rt_ring *r = m->ring;
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed);
	size_t frame = sizeof(int16_t) * m->conf.channels;
	for (;;) {
		uint64_t have = atomic_load_explicit(&r->written, memory_order_acquire) - at;
		size_t n = have < sizeof(pcm) ? (size_t)have : sizeof(pcm);
		n -= n % frame;
		if (!n)
			return;
		rt_ring_copy(r, at, pcm, n);
		at += n;
		atomic_store_explicit(&r->read, at, memory_order_release);
		if (m->status)
			continue; /* read over: the media thread must not wait for a broken file */
		m->status = file_writer_write(m->writer, pcm, n / frame);
		m->frames += m->status ? 0 : n / frame;
	}
}

static void drain_job(void *arg)
{
	role_assert_work();
	struct mrecord *m = arg;
	if (!m->was_opened)
		mrecord_open(m);
	mrecord_drain(m);
	if (m->is_cutting && !m->status) {
		(void)file_writer_close(m->writer, NULL);
		m->writer = NULL, m->frames = 0;
		mrecord_open(m);
	}
	if (m->writer && !m->is_back)
		(void)file_writer_sync(m->writer);
	if (!m->is_back)
		return;
	int st = file_writer_close(m->writer, NULL);
	m->writer = NULL;
	if (!m->conf.is_append && !m->status && (m->frames < m->min_frames || (!m->frames && m->removes_empty)))
		m->is_removed = unlink(m->path) == 0;
	if (!m->status)
		m->status = st;
}

ON_CTL static void mrecord_free(struct mrecord *m)
{
	struct mstream *s = m->s;
	list_remove(&m->link);
	rt_record_free(m->rec);
	mem_unref(m->ring);
	mem_free(m->path);
	mem_free(m->url);
	for (int i = 0; i < FILE_TAG_COUNT; i++)
		mem_free(m->tags[i]);
	mem_free(m);
	mstream_closed_try(s);
	mem_unref(s);
}

ON_CTL static void mrecord_finish(struct mrecord *m)
{
	struct media_report r = {.kind = MEDIA_R_RECORD_DONE,
	    .id = m->id,
	    .status = m->status ? m->status : m->rec->status,
	    .samples = m->frames,
	    .was_silent = m->rec->was_silent,
	    .had_sound = m->rec->had_sound,
	    .is_removed = m->is_removed};
	uint64_t lost = atomic_load_explicit(&m->ring->dropped, memory_order_relaxed);
	if (lost)
		log_warning("media: %s: in all %llu samples are lost, the disk was too slow", m->path,
		    (unsigned long long)lost);
	mctl.record_lost_samples += lost;
	if (m->url && !m->status && !m->is_removed) {
		if (url_writer)
			url_writer->written(m->url, m->path);
		else
			log_error("media: %s: nothing sends it any more; the file stays: %s", m->url, m->path);
	}
	mctl.records_failed += m->status && m->status != ST_CANCELLED;
	mstream_report(m->s, &r);
	mrecord_free(m);
}

ON_CTL static void mrecord_submit(struct mrecord *m);

static void mrecord_drained(int status, void *arg)
{
	role_assert_ctl();
	struct mrecord *m = arg;
	mctl.job_count--;
	m->is_job_running = false;
	if (status && !m->status)
		m->status = status;
	if (m->status && !m->rec && !m->was_given_up) { /* nothing more will be written */
		m->was_given_up = true;
		(void)mstream_record_stop(m->s, m->id);
	}
	if (m->is_wanted)
		mrecord_submit(m);
	else if (m->is_back && m->rec)
		mrecord_finish(m);
}

ON_CTL static void mrecord_submit(struct mrecord *m)
{
	m->is_wanted = m->is_job_running;
	if (m->is_job_running)
		return;
	m->is_back = m->rec != NULL;
	m->is_cutting = m->is_cut_wanted, m->is_cut_wanted = false;
	m->is_job_running = true;
	mctl.job_count++;
	if (work_submit(WORK_SOUND, "media.record", drain_job, mrecord_drained, m)) {
		m->is_job_running = false;
		mctl.job_count--;
	}
}

static struct mrecord *mrecord_find(struct mstream *s, uint32_t id)
{
	struct lnode *it, *tmp;
	list_each (&s->records, it, tmp)
		if (list_entry(it, struct mrecord, link)->id == id)
			return list_entry(it, struct mrecord, link);
	return NULL;
}

void record_drain(struct mstream *s, uint32_t id)
{
	struct mrecord *m = mrecord_find(s, id);
	if (!m)
		return;
	if (!m->is_loss_told && atomic_load_explicit(&m->ring->dropped, memory_order_relaxed)) {
		m->is_loss_told = true;
		log_error("media: %s: the disk does not take what is recorded, samples are lost from now on", m->path);
	}
	mrecord_submit(m);
}

uint64_t mctl_record_lost_samples(void)
{
	return mctl.record_lost_samples;
}

uint64_t mctl_records_failed(void)
{
	return mctl.records_failed;
}

void record_reported(struct mstream *s, struct rt_record *rec)
{
	struct mrecord *m = mrecord_find(s, rec->id);
	CHECK(m);
	m->rec = rec;
	mrecord_submit(m);
}

ON_CTL static void rates_tell(struct mrecord *m, const uint32_t now_hz[2])
{
	struct rt_record_rates *r;
	uint32_t to_hz[2];
	for (int i = 0; i < 2; i++)
		to_hz[i] = m->in_hz[i] && now_hz[i] != m->in_hz[i] ? now_hz[i] : 0;
	if (m->rec || (!to_hz[0] && !to_hz[1]))
		return;
	int st = rt_record_rates_new(&r, m->id, to_hz, m->conf.rate_hz);
	if (st) {
		log_error("media: %s: silent from now on: %s", m->path, status_text(st));
		return;
	}
	for (int i = 0; i < 2; i++)
		m->in_hz[i] = to_hz[i] ? to_hz[i] : m->in_hz[i];
	struct rt_cmd c = {.kind = RT_C_RECORD_RATE, .ptr = r};
	(void)mstream_post(m->s, &c);
}

/* A file has one rate from its beginning: what comes at another is turned to that. */
void records_params_changed(struct mstream *s)
{
	const uint32_t now_hz[2] = {codec_rate_hz(&s->params.recv), codec_rate_hz(&s->params.send)};
	struct lnode *it, *tmp;
	list_each (&s->records, it, tmp)
		rates_tell(list_entry(it, struct mrecord, link), now_hz);
}

bool mctl_can_record(const char *path)
{
	const struct file_format *f = file_format_of(path);
	return f && f->can_write;
}

const char *mctl_native_extension(const struct media_codec *codec)
{
	const struct codec_ops *ops = codec_find_rate(codec->name, codec->clock_hz, 0, codec->rate_hz);
	return ops && ops->bitrate ? ops->name : NULL;
}

ON_CTL static int target_set(struct mrecord *m, const char *path, bool is_url, bool is_append)
{
	const char *why = is_append ? "nothing can be added to what a server has" : "nothing sends it there";
	if (!is_url)
		return (m->path = mem_strdup(path)) ? ST_OK : ST_NOMEM;
	m->path = url_writer && !is_append ? url_writer->place(path) : NULL;
	m->url = m->path ? mem_strdup(path) : NULL;
	if (!m->path)
		log_error("media: cannot record to %s: %s", path, why);
	return m->url ? ST_OK : m->path ? ST_NOMEM : ST_DENIED;
}

int mstream_record(struct mstream *s, const char *path, const struct media_record_conf *conf, uint32_t *id_out)
{
	struct rt_record *rec = NULL;
	if (s->is_closing)
		return ST_CLOSED;
	const bool is_url = path && mctl_is_url(path);
	if (!s->has_params || !path || (path[0] != '/' && !is_url) || (!conf->has_read && !conf->has_write))
		return ST_INVAL;
	uint32_t rates[2] = {codec_rate_hz(&s->params.recv), codec_rate_hz(&s->params.send)};
	if ((conf->has_read && !rates[0]) || (conf->has_write && !rates[1]))
		return ST_UNSUPPORTED;
	uint32_t rate_hz = conf->rate_hz ? conf->rate_hz : conf->has_read ? rates[0] : rates[1];
	if (rate_hz < 8000 || rate_hz > 48000)
		return ST_INVAL;
	struct mrecord *m = mem_zalloc(sizeof(*m));
	if (!m)
		return ST_NOMEM;
	int st = target_set(m, path, is_url, conf->is_append);
	const bool has_two[2] = {params_send_two(&s->params, s->fmtp), params_take_two(&s->params, s->fmtp)};
	if (!st)
		st = rt_record_new(&rec, conf, rate_hz, rates, has_two);
	if (st) {
		mem_free(m->path);
		mem_free(m->url);
		mem_free(m);
		return st;
	}
	m->id = rec->id = ++mctl.next_id;
	m->s = mem_ref(s);
	m->ring = mem_ref(rec->ring);
	m->in_hz[0] = conf->has_read ? rates[0] : 0, m->in_hz[1] = conf->has_write ? rates[1] : 0;
	m->conf = (struct file_writer_conf){.rate_hz = rate_hz,
	    .channels = rec->channels,
	    .is_append = conf->is_append,
	    .file_rate_hz = conf->file_rate_hz,
	    .file_channels = conf->file_channels,
	    .bit_rate_kbps = conf->bit_rate_kbps,
	    .is_constant_rate = conf->is_constant_rate};
	_Static_assert((int)FILE_TAG_COUNT == MEDIA_TAG_COUNT && (int)FILE_TAG_DATE == MEDIA_TAG_DATE, "the same tags");
	for (int i = 0; i < FILE_TAG_COUNT; i++) {
		m->tags[i] = conf->tags[i] ? mem_strdup(conf->tags[i]) : NULL;
		m->conf.tags[i] = m->tags[i];
	}
	m->removes_empty = conf->removes_empty, m->min_frames = (uint64_t)conf->min_ms * rate_hz / 1000;
	list_push(&s->records, &m->link);
	struct rt_cmd c = {.kind = RT_C_RECORD, .ptr = rec};
	(void)mstream_post(s, &c);
	mrecord_submit(m); /* the file is there from the beginning */
	if (id_out)
		*id_out = m->id;
	return ST_OK;
}

int mstream_record_set(struct mstream *s, uint32_t id, bool is_masked, bool is_paused)
{
	struct rt_cmd c = {.kind = RT_C_RECORD_SET, .number = id, .flags = is_masked | is_paused << 1};
	return s->is_closing ? ST_CLOSED : mstream_post(s, &c);
}

int mstream_record_truncate(struct mstream *s, uint32_t id)
{
	struct mrecord *m = s->is_closing ? NULL : mrecord_find(s, id);
	if (!m || m->conf.is_append)
		return m ? ST_UNSUPPORTED : ST_NOTFOUND;
	m->is_cut_wanted = true;
	mrecord_submit(m);
	return ST_OK;
}

int mstream_record_stop(struct mstream *s, uint32_t id)
{
	struct rt_cmd c = {.kind = RT_C_RECORD_STOP, .number = id};
	return s->is_closing ? ST_CLOSED : mstream_post(s, &c);
}
