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
ON_CTL void httpcache_files_start(void); /* files.c */
ON_CTL void httpcache_files_stop(void);
/* The name of a new file of the cache's directory, "KIND-..." with the URL's extension, to be freed; NULL: no memory,
 * not loaded. */
ON_CTL char *httpcache_file(const char *kind, const char *url);
ON_CTL void httpcache_file_drop(char *path); /* a worker removes it; path is freed */
/* The file is what the URL has, until default-max-age: path is the cache's own now. */
ON_CTL void httpcache_adopt(const char *url, char *path, uint64_t bytes);
struct fetch_params;
ON_CTL void httpcache_fetch_params(struct fetch_params *p, const char *timeout, int timeout_s); /* what is configured */

/* profile.c: appends the header lines that a server wants. profile NULL: the one of the URL's server, if any. */
ON_CTL int httpcache_sign(
    struct buf *headers, const char *profile, const char *verb, const char *url, const char *ctype, uint64_t bytes);

/* put.c: the file goes to the text's URL; done (may be NULL) once, with ST_OK or ST_IO and the server's code, 0: it
 * said nothing. A recording is the cache's own, removed when it was sent. ST_INVAL: no URL; ST_NOMEM. */
typedef void (*httpcache_put_fn)(int status, int code, void *arg);
ON_CTL int httpcache_put(const char *text, const char *path, bool is_recording, httpcache_put_fn done, void *arg);
ON_CTL void httpcache_puts_start(void);
ON_CTL bool httpcache_puts_any(void);
ON_CTL void httpcache_puts_status(struct buf *out);
ON_CTL const char *httpcache_param(const char *name);

struct api_call;
ON_CTL int api_http_get(struct api_call *c);
ON_CTL int api_http_tryget(struct api_call *c);
ON_CTL int api_http_prefetch(struct api_call *c);
ON_CTL int api_http_clear_cache(struct api_call *c);
ON_CTL int api_http_remove_cache(struct api_call *c);
