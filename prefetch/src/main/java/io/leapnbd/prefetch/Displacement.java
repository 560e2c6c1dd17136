package io.leapnbd.prefetch;

/**
 * What a fetch costs by what it displaces. The cache gives up the page that was fetched longest ago and not demanded, so each
 * fetch cuts short the lives of all pages that wait there, by one fetch. What is lost by that is seen at the end of these lives: a
 * page that was demanded shortly before would have been lost with a little more fetching, and one that was demanded shortly after
 * would have been there with a little less. The price of a fetch is how many of both there are for each fetch. Where any page is as
 * likely to be demanded as another it is as high as what can be gained, and nothing is fetched that would only take another's place;
 * where pages are demanded soon after they have been fetched it is nothing.
 *
 * <p>Ages are counted in fetches. How old pages become depends on the cache and on how many of them are demanded; it is learned
 * from the oldest that was still there and from those that were not.
 */
final class Displacement {

    /** What the life of a page is taken to be at first, in fetches. */
    private static final float FIRST_LIFE = 512;

    private static final float MOST_LIFE = 1 << 20;

    /** How fast the life shrinks when a younger page has been given up. */
    private static final float SHRINK = 16;

    /** Fetches over which the price is averaged. */
    private static final float MEMORY = 2048;

    /** Demands over which it is forgotten: when nothing is fetched because of it, nothing else would bring it down. */
    private static final float DEMANDS = 16384;

    private int fetches;
    private float life = FIRST_LIFE;
    private float price;

    /** A page is fetched. Returns when it was born, for the other methods. */
    int fetched() {
        price = Fading.of(price - price / MEMORY);
        return fetches++;
    }

    /** Any page is demanded. */
    void demanded() {
        price = Fading.of(price - price / DEMANDS);
    }

    /** A page that was fetched is demanded, and is there or not. */
    void settled(int born, boolean hit) {
        int age = fetches - born;
        if (hit && age > life) {
            life = Math.min(age, MOST_LIFE);
        } else if (!hit && age < life) {
            life += (age - life) / SHRINK;
        }
        if (age > life / 2 && age < life + life / 2) {
            price += 1 / MEMORY;
        }
    }

    /** Whether a page has probably been given up. */
    boolean isGone(int born) {
        return fetches - born > life;
    }

    /** Whether it is so long ago that it tells nothing any more. */
    boolean isHistory(int born) {
        return fetches - born > 2 * life;
    }

    /** How many hits a fetch costs; 0 to about 1. */
    float price() {
        return price;
    }
}
