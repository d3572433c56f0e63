/* A prompt that a thousand callers hear is decoded and encoded once: it is kept encoded, per file, codec, rate and
 * channels, and shared. The least recently used go when the bound is passed; whoever still plays one keeps it alive by
 * its reference.
 */
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "media/ctl/ctl_i.h"

#include <stdio.h>
#include <string.h>

struct entry {
	struct lnode link; /* the least recently used is first */
	struct clip_ref ref;
	char *key;
	char *found; /* by the finder, in this generation */
	unsigned generation;
};
static struct {
	struct hash *by_key;
	struct list lru;
	size_t bytes, max_bytes;
	unsigned generation;
} cache;

static void entry_free(void *value)
{
	struct entry *e = value;
	list_remove(&e->link);
	cache.bytes -= e->ref.clip->bytes_count;
	mem_unref(e->ref.clip);
	mem_free(e->key);
	mem_free(e->found);
	mem_free(e);
}

void clips_init(size_t max_bytes)
{
	int st = hash_new(&cache.by_key, 0, entry_free);
	CHECK(st == ST_OK);
	list_init(&cache.lru);
	cache.bytes = 0;
	cache.max_bytes = max_bytes;
}

void clips_fini(void)
{
	hash_free(cache.by_key);
	cache.by_key = NULL;
}

void clips_forget_found(void)
{
	cache.generation++;
}

static struct sv key_make(struct buf *b, const char *path, const struct media_codec *codec)
{
	buf_init(b);
	(void)buf_printf(b, "%s/%u/%u/%s", codec->name, (unsigned)codec->rate_hz, (unsigned)codec->channels, path);
	return buf_sv(b);
}

struct clip_ref clips_get(const char *path, const struct media_codec *codec, char **found)
{
	struct buf b;
	struct entry *e = hash_get(cache.by_key, key_make(&b, path, codec));
	buf_fini(&b);
	if (!e)
		return (struct clip_ref){0};
	list_remove(&e->link);
	list_push(&cache.lru, &e->link);
	mem_ref(e->ref.clip);
	if (e->generation == cache.generation)
		*found = mem_strdup(e->found);
	return e->ref;
}

void clips_put(const char *path, const struct media_codec *codec, const struct clip_ref *ref, const char *found)
{
	struct buf b;
	struct sv key = key_make(&b, path, codec);
	struct entry *e = ref->clip->bytes_count <= cache.max_bytes ? mem_zalloc(sizeof(*e)) : NULL;
	if (!e)
		goto out;
	(void)hash_del(cache.by_key, key);
	e->ref = *ref;
	mem_ref(e->ref.clip);
	e->key = sv_dup(key);
	e->found = mem_strdup(found);
	e->generation = cache.generation;
	list_push(&cache.lru, &e->link);
	cache.bytes += ref->clip->bytes_count;
	if (!e->key || hash_set(cache.by_key, key, e)) {
		entry_free(e);
		goto out;
	}
	while (cache.bytes > cache.max_bytes) {
		struct entry *old = list_entry(list_first(&cache.lru), struct entry, link);
		(void)hash_del(cache.by_key, sv_of(old->key));
	}
out:
	buf_fini(&b);
}
