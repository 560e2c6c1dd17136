package io.leapnbd.tools.status;

import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import java.util.Locale;

/** What {@code top} shows of a donor. */
final class DonorPicture {

    private static final String SLABS = "leap_lender_slabs";

    private DonorPicture() {}

    /** Whether these are a donor's figures. */
    static boolean fits(Sample sample) {
        return sample.values().containsKey("leap_lender_links");
    }

    /** One picture, ending with a line feed. {@code address}: the endpoint's. */
    static String of(String address, Sample before, Sample now) {
        double slab = now.value("leap_lender_slab_bytes");
        double free = now.value(SLABS + "{state=\"free\"}") * slab;
        double lent = now.value(SLABS + "{state=\"lent\"}") * slab;
        double wanted = now.value("leap_lender_slabs_wanted_back") * slab;
        StringBuilder out = new StringBuilder(String.format(
                Locale.ROOT,
                "http://%s  donor  %s of %s taken, %s free%s  %.0f links%n%n",
                address,
                size(lent),
                size(lent + free),
                size(free),
                wanted > 0 ? ", " + size(wanted) + " asked back" : "",
                now.value("leap_lender_links")));
        Table requests = new Table("requests", "a second", "in all");
        for (String operation : now.labels("leap_lender_requests_total", "operation")) {
            String key = "leap_lender_requests_total{operation=\"" + operation + "\"}";
            if (now.value(key) > 0) {
                requests.row(operation, whole(now.rate(before, key)), whole(now.value(key)));
            }
        }
        out.append(requests)
                .append(String.format(
                        Locale.ROOT,
                        "%n%s/s read, %s/s written, %,.0f refused, %,.0f leases ended%n%n",
                        size(now.rate(before, "leap_lender_read_bytes_total")),
                        size(now.rate(before, "leap_lender_written_bytes_total")),
                        now.value("leap_lender_refused_total"),
                        now.value("leap_lender_leases_expired_total")));
        Table exports = new Table("export", "holds", "links");
        String bytes = "leap_lender_export_bytes{";
        now.values().forEach((key, value) -> {
            if (key.startsWith(bytes)) {
                exports.row(
                        Sample.label(key, "export"),
                        size(value),
                        whole(now.value("leap_lender_export_links{" + key.substring(bytes.length()))));
            }
        });
        Table owners = new Table("owner", "holds", "may hold");
        for (String owner : now.labels("leap_lender_owner_bytes", "owner")) {
            String limit = "leap_lender_owner_limit_bytes{owner=\"" + owner + "\"}";
            owners.row(
                    owner,
                    size(now.value("leap_lender_owner_bytes{owner=\"" + owner + "\"}")),
                    now.values().containsKey(limit) ? size(now.value(limit)) : "all there is");
        }
        out.append(exports.isEmpty() ? "no server uses this memory\n" : exports + "\n" + owners);
        return out.toString();
    }

    private static String size(double bytes) {
        return Size.approximate((long) bytes);
    }

    private static String whole(double value) {
        return String.format(Locale.ROOT, "%,.0f", value);
    }
}
