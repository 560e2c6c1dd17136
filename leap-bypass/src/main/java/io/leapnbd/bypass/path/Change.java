package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One write or trim of a part of a slab, while it is under way to every copy. All copies get it with one version. Pooled by its {@link
 * DeviceLoop}; for that loop's thread.
 */
final class Change {

    byte operation;
    long position;
    int length;
    long version;
    long startNanos;

    @Nullable
    ByteBuf buffer;

    int bufferIndex;

    /** For the path's own use. */
    int tag;

    /** Set if the bytes are those of a write of parts of pages, and of what was around them. */
    @Nullable
    PartialWrite whole;

    private @Nullable ClientRequest client;
    private @Nullable Placement asked;
    private final @Nullable LinkRequest[] open = new LinkRequest[Placement.MAX_MEMBERS];
    private int openCount;
    private int acknowledged;
    private int gone;
    private int toAsk;
    private boolean fenced;
    private boolean refused;
    private boolean doneWhereItWas;

    Change() {}

    /** Begins, with the copies that are to be asked. */
    void begin(ClientRequest of, Placement at) {
        client = of;
        asked = at;
        openCount = at.size();
        toAsk = (1 << at.size()) - 1;
        acknowledged = 0;
        gone = 0;
        fenced = false;
        refused = false;
        doneWhereItWas = false;
    }

    /** Drops what it referred to, before it goes back to the pool. */
    void clear() {
        client = null;
        asked = null;
        buffer = null;
        whole = null;
    }

    ClientRequest client() {
        ClientRequest of = client;
        if (of == null) {
            throw new IllegalStateException("a change of no client's");
        }
        return of;
    }

    /** The copies that were asked. */
    Placement asked() {
        Placement at = asked;
        if (at == null) {
            throw new IllegalStateException("a change of no slab");
        }
        return at;
    }

    /** A bit for each copy that is to be asked. */
    int toAsk() {
        return toAsk;
    }

    /** Has those that are silent asked again, with the same version; whether there are any. */
    boolean askSilentAgain() {
        toAsk = ~(acknowledged | gone) & (1 << asked().size()) - 1;
        openCount = Integer.bitCount(toAsk);
        return toAsk != 0;
    }

    /** A request to one of them is about to be posted. */
    void posted(int place, LinkRequest request) {
        open[place] = request;
    }

    /**
     * Goes on under another placement, with the same version.
     *
     * @return whether there are copies that were not asked yet
     */
    boolean continueAt(Placement present) {
        Placement before = asked();
        int done = 0;
        int missing = 0;
        for (int i = 0; i < present.size(); i++) {
            int place = before.indexOf(present.member(i));
            if (place < 0) {
                missing |= 1 << i;
            } else {
                done |= (acknowledged >>> place & 1) << i;
            }
        }
        doneWhereItWas |= acknowledged != 0 && done == 0;
        asked = present;
        acknowledged = done;
        gone = 0;
        toAsk = missing;
        openCount = Integer.bitCount(missing);
        return missing != 0;
    }

    /** One of them has answered, or cannot. Whether it was the last. */
    boolean ended(LinkRequest request) {
        int place = place(request);
        open[place] = null;
        switch (request.outcome) {
            case OK -> acknowledged |= 1 << place;
            case LOST -> gone |= 1 << place;
            case FENCED -> fenced = true;
            case UNREACHABLE -> {
                // It has neither bit.
            }
            case NO_SPACE, STALE, REFUSED -> refused = true;
        }
        return --openCount == 0;
    }

    private int place(LinkRequest request) {
        for (int i = 0; i < open.length; i++) {
            if (open[i] == request) {
                return i;
            }
        }
        return asked().indexOf(request.where == null ? asked().primary() : request.where);
    }

    /** A bit for each of the copies that has done it. */
    int acknowledged() {
        return acknowledged;
    }

    /** Whether a copy that is still live has done it, as of a placement. */
    boolean acknowledgedByLive(Placement now) {
        for (int i = 0; i < now.live(); i++) {
            int place = asked().indexOf(now.member(i));
            if (place >= 0 && (acknowledged & 1 << place) != 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether copies have done it, and none of these is used any more: the others may have had less than their time. */
    boolean doneWhereItWas() {
        return doneWhereItWas;
    }

    /** Those that have neither done it nor are gone: nobody knows what became of it there. */
    List<Member> silent() {
        List<Member> all = new ArrayList<>();
        for (int i = 0; i < asked().size(); i++) {
            if (((acknowledged | gone) & 1 << i) == 0) {
                all.add(asked().member(i));
            }
        }
        return all;
    }

    /** Whether the bytes of a copy turned out to be gone. */
    boolean isGone(int place) {
        return (gone & 1 << place) != 0;
    }

    /** Whether a copy may have done a change that failed, or may still do it. */
    boolean uncertain() {
        return (refused ? acknowledged : ~gone & (1 << asked().size()) - 1) != 0;
    }

    boolean fenced() {
        return fenced;
    }

    boolean refused() {
        return refused;
    }

    /** Marks the requests that are still under way: a live copy has done the change, so the others need not be waited for long. */
    void spareTheRest() {
        if (openCount > 0 && acknowledged != 0 && acknowledgedByLive(asked())) {
            for (LinkRequest request : open) {
                if (request != null) {
                    request.spare = true;
                }
            }
        }
    }
}
