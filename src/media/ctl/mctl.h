/* Control's side of media: streams (one leg's RTP port pair), and what is done with them on a media thread. Control
 * never touches a sample; every call here posts a message and returns; answers come as reports on the control loop. RFC
 * 3550 (RTP/RTCP), RFC 4733 (telephone-event), RFC 3551 (static payload types). */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "media/rt/media.h" /* struct media_params, media_codec, media_report, media_stats, media_record_conf */
#include "net/addr.h"

/* Counted. mstream_open gives the caller one reference; mem_unref alone does not close: mstream_close does, once, and
 * may be followed by mem_unref at once: the room keeps its own reference until MEDIA_R_CLOSED was reported. */
struct mstream;

enum { MCTL_THREADS_MAX = 64 };
/* The cores this process may run on, less one for control; at least one. */
ANY unsigned mctl_threads_default(void);
struct mctl_conf {
	unsigned thread_count; /* media threads, 1..MCTL_THREADS_MAX; 0 = mctl_threads_default() */
	uint16_t port_min,
	    port_max; /* RTP ports, even ones used, RTCP on the next; FreeSWITCH's rtp-start-port, rtp-end-port */
	size_t prompt_cache_max_bytes; /* decoded prompts shared by all callers; 0 = 32 MiB */
	const char *kernel_mode;       /* auto, xdp or tc (media/rt/kernel.h) */
	const char *kernel_interfaces; /* relay in the kernel on those (media/rt/kernel.h); NULL = by sockets */
};
ON_CTL int mctl_start(const struct mctl_conf *conf);
ON_CTL void mctl_stop(
    void); /* closes what is open, joins the threads; runs the loop for it: not from inside a loop callback */
ON_CTL void mctl_counts(
    size_t *streams_open, size_t *ports_free, uint64_t *rtp_in, uint64_t *rtp_out, uint64_t *rtp_dropped);
/* One media thread, for `show rings` and metrics. Packets and ticks as of the last quarter of a second, since the
 * start.
 */
struct mctl_thread_counts {
	size_t streams;
	size_t commands_fill, commands_cap; /* its ring of commands now, and its size */
	uint64_t rtp_in, rtp_out, rtp_dropped;
	uint64_t ticks, ticks_late;              /* wheel slots run; of these over 10 ms after their time */
	uint64_t tick_late_us, tick_late_max_us; /* sum and maximum of how late */
	uint64_t cpu_ns;
	uint64_t kernel_flows, kernel_packets; /* streams whose packets the kernel relays; packets it has */
	uint64_t kernel_xdp_packets;           /* of them by XDP */
	uint64_t moves; /* streams that came from another thread, joined to one that lives here */
};
ON_CTL unsigned mctl_thread_count(void);
ON_CTL int mctl_thread_counts(unsigned i, struct mctl_thread_counts *out); /* ST_NOTFOUND past the last */
/* The ring in which all media threads report to control, and commands kept back because a thread's ring was full. */
ON_CTL void mctl_ring_counts(size_t *reports_fill, size_t *reports_cap, size_t *commands_held);
ON_CTL uint64_t mctl_cpu_ns(void); /* CPU time of all media threads so far */

/* On the control loop; the stream is borrowed. */
typedef void (*media_report_fn)(struct mstream *s, const struct media_report *r, void *arg);

/* Takes a port pair bound to local_host (port filled into local) and opens it on a media thread: near's thread when
 * near is given (the leg it will talk to), else the least loaded one. ST_FULL when no port is free or the threads have
 * all the streams they can. */
ON_CTL int mstream_open(struct mstream **out, struct addr *local, struct mstream *near, media_report_fn fn, void *arg);
/* The same without ports: what it sends goes to the stream it is wired to; to nobody, and nothing comes, until then. */
ON_CTL int mstream_open_wired(struct mstream **out, struct mstream *near, media_report_fn fn, void *arg);
/* The same on the transport of another (BUNDLE), which closes after it; whatever thread carrier goes to it follows. */
ON_CTL int mstream_open_riding(struct mstream **out, struct mstream *carrier, media_report_fn fn, void *arg);
/* Two of these face each other, whatever threads they live on. ST_EXISTS: one of them faces somebody; ST_FULL: no
 * descriptors. When one closes the other faces nobody. */
ON_CTL int mstream_wire(struct mstream *a, struct mstream *b);
/* Plug-ins (media/rt/rt.h): taken when ST_OK, in place of the one before; NULL: plain, and what it was opened with. */
struct rt_crypt;
struct rt_finder;
ON_CTL int mstream_set_crypt(struct mstream *s, struct rt_crypt *crypt);
ON_CTL int mstream_set_finder(struct mstream *s, struct rt_finder *finder);
/* Ends everything on the stream. fn is called once more with MEDIA_R_CLOSED (final statistics), then never.
 * It comes when the media thread has let go and the files of its records are closed and complete, after a RECORD_DONE
 * of each; nothing else is told any more after this call. */
ON_CTL void mstream_close(struct mstream *s);
ON_CTL int mstream_set_params(struct mstream *s, const struct media_params *p);
/* Of p only codecs, fmtp, telephone-event and comfort noise; the rest is as it was set. ST_INVAL: nothing was. */
ON_CTL int mstream_set_codecs(struct mstream *s, const struct media_params *p);
/* Whether mstream_set_params would take these codecs and their parameters; nothing is changed. */
ON_CTL int mstream_check_params(struct mstream *s, const struct media_params *p);
ON_CTL int mstream_set_timeout(struct mstream *s, unsigned rtp_timeout_ms /* 0 = none */);
/* A jitter buffer for what comes, from now on and with every codec; conf with len_ms 0: none. ST_INVAL: out of range.
 */
ON_CTL int mstream_set_jitter(struct mstream *s, const struct media_jitter_conf *conf);
/* What is made of silence from the next packet on; kept with other codecs. ST_UNSUPPORTED: sends, of a codec that is
 * not known. */
ON_CTL int mstream_set_comfort(struct mstream *s, const struct media_comfort_conf *conf /* NULL: nothing */);
/* What the stream's audio is joined to. One at a time; a new one replaces the old. A play or a record goes on top of
 * it: a play replaces what is sent to this stream until it ends; a record taps what comes and goes. */
ON_CTL int mstream_relay(
    struct mstream *a, struct mstream *b); /* both ways: same codec = rewritten packets at once, else transcoded */
ON_CTL int mstream_echo(struct mstream *s, unsigned delay_ms);
ON_CTL int mstream_idle(struct mstream *s); /* joined to nothing (also ends the relay for its peer) */
ON_CTL int mstream_mute(struct mstream *s, bool is_read_muted, bool is_write_muted);

/* Plays. source: "/path/file.wav" (any libsndfile format), "tone_stream://TGML[;loops=n]",
 * "silence_stream://ms[,noise]", "local_stream://name[/rate]", "file_string://a!b!c"; a "{loops=-1}" style prefix is
 * understood. It may have marks (text/mark.h), with which src_parse reads it; ST_DENIED, told in the log: what is from
 * outside would name another file. Once it is open MEDIA_R_PLAY_BEGUN comes; a failure (no such file) comes as
 * MEDIA_R_PLAY_DONE alone. Out: an id for reports and stop. loops: times to play, -1 = for ever, 0 or 1 = once. */
ON_CTL int mstream_play(struct mstream *s, const char *source, int loops, uint32_t *id_out);
/* The extension that a file without one has when there is none of the codec's name; "" or NULL: wav. For plays that
 * begin later. ST_INVAL: no letters, digits and hyphens, 15 at most. */
ON_CTL int mstream_set_backup_ext(struct mstream *s, const char *ext);
/* Which of them it was, of a play of one file that has begun; else "". Valid until the play is done. */
ON_CTL const char *mstream_play_ext(struct mstream *s, uint32_t id);
ON_CTL int mstream_play_stop(struct mstream *s, uint32_t id /* 0 = whatever plays */);
/* Of the newest play, which may still be in preparation. ST_NOTFOUND: nothing plays; ST_FULL: too many at once. Seeking
 * stays inside the file that plays; in one too long to be kept whole it only goes forward, as far as it has been read.
 */
ON_CTL int mstream_play_set(struct mstream *s, enum media_play_op op, int32_t value);
/* Something plays to the far side, or is about to. */
ON_CTL bool mstream_is_playing(const struct mstream *s);
/* What there is in front of "://", for `show file`. NULL: there are no more. */
enum src_kind {
	SRC_FILE,
	SRC_TONE,
	SRC_SILENCE,
	SRC_LOCAL,
	SRC_NAME /* the finder makes a file of it */,
	SRC_URL /* the URL finder */,
	SRC_ROW /* of others; no part is one */
};
ANY const char *mctl_source_scheme(size_t i, enum src_kind *kind);
/* Text of a source or a record's target (marks and all) that is http://, https:// or http_cache://, behind "{...}" or
 * not. */
ANY bool mctl_is_url(const char *text);
/* The same without marks: what is from outside is below the server, and not in a "{...}". ST_DENIED; ST_INVAL: no URL.
 */
ANY int mctl_url_plain(struct buf *out, struct sv text);
ON_CTL bool mctl_source_exists(const char *source); /* cheap syntax check: known scheme or absolute path */

/* ---- taps: what looks into the sound of a stream or changes it ----------------------------------------------------
 * Side 0 (read) is what comes from the stream's phone, side 1 (write) what goes to it. Only with codecs the engine
 * knows, else ST_UNSUPPORTED; ST_INVAL before mstream_set_params. While nothing is changed packets are relayed as ever.
 * A tap that ends, by itself or because it was stopped, is told by MEDIA_R_TAP_DONE (a spy's to its listener); fn must
 * not stop other taps from there. All end with their stream. */
/* Replaces what was set before; all zero: as it is. */
ON_CTL int mstream_set_level(struct mstream *s, const struct media_level *level);
/* listener, which may not be relayed to anybody, hears the target's sides and may whisper into them (enum
 * media_spy_flag): what he says into the read side is heard by whoever hears the target, into the write side by the
 * target. A listener has one target; a target any number of listeners, who hear what the others whisper. */
ON_CTL int mstream_spy(struct mstream *listener, struct mstream *target, unsigned flags, uint32_t *id_out);
ON_CTL int mstream_spy_set(struct mstream *target, uint32_t id, unsigned flags);
/* A source (as for mstream_play) on a side of the stream. */
ON_CTL int mstream_displace(
    struct mstream *s, const char *source, const struct media_displace_conf *conf, int loops, uint32_t *id_out);
/* MEDIA_R_TAP_EVENT once, when the tone was heard as often as asked; it stays until stopped. */
ON_CTL int mstream_detect_tone(struct mstream *s, const struct media_tone_conf *conf, uint32_t *id_out);
/* MEDIA_R_TAP_EVENT each time one of the tones is recognised, number: which; it stays until stopped. ST_INVAL as
 * cadence_new. */
ON_CTL int mstream_detect_cadence(struct mstream *s, const struct media_cadence_conf *conf, uint32_t *id_out);
/* MEDIA_R_TAP_EVENT once, then it is over. */
ON_CTL int mstream_detect_energy(struct mstream *s, const struct media_energy_conf *conf, uint32_t *id_out);
/* Until it is stopped. */
ON_CTL int mstream_preprocess(struct mstream *s, const struct media_preproc_conf *conf, uint32_t *id_out);
/* Over when it knows: MEDIA_R_TAP_DONE with ear. */
ON_CTL int mstream_ear(struct mstream *s, const struct media_ear_conf *conf, uint32_t *id_out);
/* Digits heard in the audio: MEDIA_R_DTMF with is_inband. */
ON_CTL int mstream_detect_dtmf(struct mstream *s, bool is_on);
/* MEDIA_R_TALK and _NOTALK as the phone's user speaks. */
ON_CTL int mstream_detect_voice(struct mstream *s, bool is_on);
/* Its sound to and from another thread (media/rt/port.h; a reference is taken), until it is stopped. */
struct media_port;
ON_CTL int mstream_port(struct mstream *s, struct media_port *port, uint32_t *id_out);
ON_CTL int mstream_tap_stop(struct mstream *s, uint32_t id); /* s: the target, for a spy. ST_NOTFOUND */
/* Digits that come as telephone-events go on to the peer as tones (read), or those that go out to the phone do (write).
 */
ON_CTL int mstream_generate_dtmf(struct mstream *s, bool is_read, bool is_on);

/* Some format is written under the path's extension. */
ANY bool mctl_can_record(const char *path);
/* The extension of files that are nothing but the codec's packets; NULL: they may vary in length, or it is not known.
 */
ANY const char *mctl_native_extension(const struct media_codec *codec);
/* path: of a file, absolute, or a URL (mctl_is_url). ST_DENIED: nobody takes that, told in the log. */
ON_CTL int mstream_record(struct mstream *s, const char *path, const struct media_record_conf *conf, uint32_t *id_out);
ON_CTL int mstream_record_stop(struct mstream *s, uint32_t id /* 0 = all */);
/* Over all records that have ended: samples for which a stalled disk left no room; files that could not be written. */
ON_CTL uint64_t mctl_record_lost_samples(void);
ON_CTL uint64_t mctl_records_failed(void);
/* What was recorded until now is thrown away; it goes on at the file's beginning. ST_NOTFOUND, ST_UNSUPPORTED: it
 * appends. */
ON_CTL int mstream_record_truncate(struct mstream *s, uint32_t id);
/* Masked: silence is written. Paused: nothing is. */
ON_CTL int mstream_record_set(struct mstream *s, uint32_t id, bool is_masked, bool is_paused);

/* Digits 0-9 * # A-D (w = 500 ms, W = 1 s pause), duration_ms 0 = 100; by telephone-event, or in-band tones when none.
 */
ON_CTL int mstream_send_dtmf(struct mstream *s, const char *digits, unsigned duration_ms);
ON_CTL int mstream_send_tones(struct mstream *s, const char *digits, unsigned duration_ms); /* in-band in any case */
/* Telephone-events that come on s are only told (MEDIA_R_DTMF with is_captured), not relayed to its peer: whoever looks
 * at digits first sends on what he does not take (mstream_send_dtmf). An event that has begun goes on as it began.
 * Stays with the stream whatever it is joined to; off at first. */
ON_CTL int mstream_capture_dtmf(struct mstream *s, bool is_captured);
ON_CTL int mstream_stats_ask(struct mstream *s);
ON_CTL int mstream_key_frame(struct mstream *s); /* of video: a whole picture is asked of the far side */
/* Copies of its packets, decrypted, go to c (media/rt/rt.h: a reference is taken) until NULL is set or it is closed. */
struct rt_capture;
ON_CTL int mstream_capture(struct mstream *s, struct rt_capture *c);
ON_CTL void mctl_rtcp_watch(bool is_on);                                  /* MEDIA_R_RTCP is told, of all streams */
ON_CTL bool mstream_peer_addr(const struct mstream *s, struct addr *out); /* learned or signalled */
ON_CTL unsigned mstream_thread_index(const struct mstream *s);

/* What a source names and is not there as a file, somebody else may make (a prompt that is spoken, "tts://..."): fn is
 * asked with the path or name; it returns a failure at once, or calls found once, later, on the control loop, with a
 * file's path (valid during the call) or a failure. NULL = nobody. What was found is kept with
 * the sound and not asked for again until the finder is set anew. */
typedef void (*mctl_found_fn)(int status, const char *path, void *arg);
typedef int (*mctl_find_fn)(const char *name, uint32_t rate_hz, mctl_found_fn found, void *arg);
ON_CTL void mctl_set_finder(mctl_find_fn fn);
/* The same for http://, https:// and http_cache://; it is asked each time. */
ON_CTL void mctl_set_url_finder(mctl_find_fn fn);
/* Who takes records whose path is such a URL (with its "{...}", plain text). NULL: nobody, they are refused. */
struct mctl_url_writer {
	char *(*place)(const char *url); /* the file to write to, to be freed with mem_free; or NULL */
	void (*written)(const char *url, const char *path); /* it is closed and complete; it is the writer's now */
};
ON_CTL void mctl_set_url_writer(const struct mctl_url_writer *w);

/* local_stream directories: name -> directory of sound files, played in turn, one clock for everybody. A source
 * "local_stream://name" plays "name/RATE" with the codec's rate when there is one, else "name", else "default". */
struct mctl_local_conf {
	const char *dir;
	bool is_shuffled;
	unsigned channels;  /* 2: who takes two hears two; else one, as everybody else does in any case */
	int volume_db;      /* -50 to 50; 0: as it is */
	const char *chimes; /* files with ',' between, absolute, which break in one after the other; NULL: none */
	unsigned chime_every_s, chime_max_s; /* music between two; what is heard of one, 0: all of it */
};
ON_CTL int mctl_local_stream_add(const char *name, const struct mctl_local_conf *conf); /* copied */
ON_CTL int mctl_local_stream_volume(const char *name, int db); /* heard within seconds; ST_NOTFOUND */
ON_CTL bool mctl_local_stream_exists(const char *name);
ON_CTL void mctl_local_stream_clear(void);
ON_CTL bool mctl_local_stream_del(const char *name); /* false: there was none */
ON_CTL void mctl_local_stream_each(
    void (*fn)(const char *name, const struct mctl_local_conf *conf, size_t listeners, void *arg), void *arg);
/* Named tones of the installation for "tone_stream://" are plain TGML; no names here. */

/* Codecs known to the engine (transcodable), for `show codec` and negotiation. */
ON_CTL bool mctl_codec_is_known(const char *name);
ON_CTL bool mctl_codec_is_cheap(const char *name); /* known, and made of samples for next to nothing (G.711, L16) */
/* Whether two channels are coded to (takes), or decoded from, a far side with these format parameters; NULL: none. */
ON_CTL bool mctl_codec_has_two(const char *name, uint32_t clock_hz, unsigned channels, const char *fmtp, bool takes);
/* The format parameters that we name for a codec, by its configuration; false: none of its own. is_offer: those too
 * that decide what the bytes mean, which an answer takes from the offer. */
ON_CTL bool mctl_codec_fmtp(
    const char *name, uint32_t clock_hz, unsigned channels, bool is_offer, char *out, size_t cap);
