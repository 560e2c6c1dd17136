package io.leapnbd.donor.store;

/**
 * Told of every change to what a store lends, before it is answered; under the {@link ExportTable}'s lock. If it throws, the request is not
 * answered: as far as anybody knows it may have been done. So what is taken back is told before it is, and what is sent again is told again.
 */
interface SlabLedger {

    /** Of a store that ends with its process. */
    SlabLedger NONE = new SlabLedger() {
        @Override
        public void owned(Export export, boolean blank) {
            // Nobody comes after this process.
        }

        @Override
        public void lent(Slab slab) {
            // As above.
        }

        @Override
        public void placed(Slab slab) {
            // As above.
        }

        @Override
        public void takenBack(Slab slab) {
            // As above.
        }
    };

    /**
     * An export has another owner or note.
     *
     * @param blank whether all its slabs were taken back with that
     */
    void owned(Export export, boolean blank);

    /** A slab was granted, or is granted again; its lost pages are marked. */
    void lent(Slab slab);

    /** A slab was placed. */
    void placed(Slab slab);

    /** One slab is about to be taken back, by itself. */
    void takenBack(Slab slab);
}
