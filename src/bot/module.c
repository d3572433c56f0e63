/* mod_audio_stream: the tables. */
#include "core/registry/module.h"
#include "bot/bot_i.h"
#include "core/conf/config.h"

#include <string.h>

static const struct conf_desc confs[] = {
    {"audio_stream.conf", "connect-timeout", "number", "s", "10",
        "for the connection, TLS and the answer of the server"},
    {"audio_stream.conf", "frame-ms", "number", "ms", "20", "sound in one message: 20 to 500, in steps of 20"},
    {"audio_stream.conf", "heart-beat", "number", "s", "30",
        "a ping so often; a server silent for twice as long is left; 0: none"},
    {"audio_stream.conf", "reconnect", "boolean", NULL, "true",
        "a connection that broke is made again, after 1, 2, 4, 8, 15 s ..."},
    {"audio_stream.conf", "reconnect-max", "number", NULL, "0",
        "tries in a row before the stream is given up; 0: as long as the call lasts"},
    {"audio_stream.conf", "tls-ca-file", "path", NULL, "", "authorities for wss://; none: the system's"},
    {"audio_stream.conf", "tls-verify", "boolean", NULL, "true", "the server must show a certificate of its name"},
    {NULL},
};

const char *bot_param(const char *name)
{
	const struct xml_node *s = xml_child(config_conf("audio_stream.conf"), "settings");
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(s, name, d->fallback);
	return "";
}

static const char *const complete[] = {
    "uuid_audio_stream ::console::list_uuid start", "uuid_audio_stream ::console::list_uuid stop", NULL};
static const struct api_desc apis[] = {
    {"audio_streams", "list the streams of sound to programs", "", 0, api_audio_streams, NULL},
    {"uuid_audio_fork", "stream a call's sound to a WebSocket server and back",
        "<uuid> [start | stop | send_text | pause | resume | stop_play | graceful-shutdown] [wss-url] [mono | mixed | "
        "stereo] [8000 | 16000 | 24000 | 32000 | 64000] [bugname] [metadata] [bidirectionalAudio_enabled] "
        "[bidirectionalAudio_stream_enabled] [bidirectionalAudio_stream_samplerate]",
        0, api_audio_fork, NULL},
    {"uuid_audio_stream", "stream a call's sound to a WebSocket server and back",
        "<uuid> [start | stop | pause | resume | send_text | graceful-shutdown] [wss-url | text] [mono | mixed | "
        "stereo] [8k | 16k | 24k] [metadata]",
        0, api_audio_stream, complete},
    {NULL},
};
static const struct var_desc vars[] = {
    {"MOD_AUDIO_BASIC_AUTH_PASSWORD", "text", "audio stream: the password of Basic authentication", true, false},
    {"MOD_AUDIO_BASIC_AUTH_USERNAME", "text", "audio stream: as whom the server is asked, by Basic authentication",
        true, false},
    {"MOD_AUDIO_FORK_ALLOW_EXPIRED", "boolean", "audio stream: the server's certificate may be over", true, false},
    {"MOD_AUDIO_FORK_ALLOW_SELFSIGNED", "boolean", "audio stream: the server's certificate is not looked at", true,
        false},
    {"MOD_AUDIO_FORK_SKIP_SERVER_CERT_HOSTNAME_CHECK", "boolean",
        "audio stream: the server's certificate may be another name's", true, false},
    {"STREAM_BUFFER_SIZE", "milliseconds", "audio stream: sound in one message", true, false},
    {"STREAM_CODEC", "L16|opus", "audio stream: what messages of sound are, both ways", true, false},
    {"STREAM_EXTRA_HEADERS", "json", "audio stream: an object of headers for the server", true, false},
    {"STREAM_HEART_BEAT", "seconds", "audio stream: between pings", true, false},
    {"STREAM_NO_RECONNECT", "boolean", "audio stream: a connection that broke is not made again", true, false},
    {"STREAM_PLAYBACK", "boolean", "audio stream: false: the program is not heard, and a bridge goes on being relayed",
        true, false},
    {"STREAM_TLS_CA_FILE", "path",
        "audio stream: authorities of the server; SYSTEM: the system's; NONE: its "
        "certificate is not looked at",
        true, false},
    {"STREAM_TLS_CERT_FILE", "path", "audio stream: our certificate for the server", true, false},
    {"STREAM_TLS_DISABLE_HOSTNAME_VALIDATION", "boolean",
        "audio stream: the server's certificate may be another name's", true, false},
    {"STREAM_TLS_KEY_FILE", "path", "audio stream: the key of our certificate", true, false},
    {NULL},
};

static int load(void)
{
	role_assert_ctl();
	return bot_streams_start();
}

static int unload(void)
{
	role_assert_ctl();
	return bot_streams_stop();
}

static const char *const also[] = {"mod_audio_fork", NULL};
extern const struct module mod_audio_stream;
const struct module mod_audio_stream = {.abi = MODULE_ABI,
    .name = "mod_audio_stream",
    .also = also,
    .load = load,
    .unload = unload,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .part = &bot_part};
