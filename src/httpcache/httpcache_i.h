/* Sound files of web servers, kept on the disk (mod_http_cache): http://, https:// and http_cache:// as sources.
 * docs/sound-files.md. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

/* words.c: "{refresh=true,profile=s3}http_cache://host/file.wav" (plain text), read. Unknown names are told in the log.
 */
struct httpcache_ask {
	char *url; /* http:// or https:// */
	char *profile;
	bool refreshes;
};
ANY int httpcache_ask_read(struct httpcache_ask *a, const char *text); /* ST_INVAL: no URL; ST_NOMEM */
ANY void httpcache_ask_fini(struct httpcache_ask *a);

/* cache.c; text is read by httpcache_ask_read */
typedef void (*httpcache_fn)(int status, const char *path, void *arg);
ON_CTL int httpcache_start(void);
ON_CTL int httpcache_stop(void); /* ST_BUSY while something is fetched */
/* done once, later, with the file's path (valid during the call). ST_INVAL: no URL; ST_FULL; ST_CLOSED. */
ON_CTL int httpcache_get(const char *text, httpcache_fn done, void *arg);
/* The path of one that is there and fresh, or NULL; {refresh=true} drops it. */
ON_CTL const char *httpcache_peek(const char *text);
ON_CTL size_t httpcache_clear(const char *text); /* NULL: all; how many. What is being fetched stays */
ON_CTL void httpcache_status(struct buf *out);
ON_CTL const char *httpcache_param(const char *name);

struct api_call;
ON_CTL int api_http_get(struct api_call *c);
ON_CTL int api_http_tryget(struct api_call *c);
ON_CTL int api_http_prefetch(struct api_call *c);
ON_CTL int api_http_clear_cache(struct api_call *c);
ON_CTL int api_http_remove_cache(struct api_call *c);
