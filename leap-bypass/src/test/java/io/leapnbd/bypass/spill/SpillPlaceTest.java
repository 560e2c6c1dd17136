package io.leapnbd.bypass.spill;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a spill may lie, on machines that are made up of files as the kernel shows them. */
class SpillPlaceTest {

    private static final String OURS = "leap-nbd 1 content=c swap= flags=0x1 uri=nbd+unix:///swap%20a?socket=/run/s";
    private static final String OTHERS = "leap-nbd 1 content=d swap= flags=0x1 uri=nbd://10.0.0.9:10809/other";

    @TempDir
    private Path root;

    @BeforeEach
    void disk() throws IOException {
        device("sda", "8:0");
        partition("sda", "sda1", "8:1");
        mount("1 0 8:1 / / rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro");
    }

    @Test
    void aDiskIsFine() throws IOException {
        assertThat(refusal("/var/spill")).isNull();
    }

    @Test
    void memoryIsNot() throws IOException {
        mount("2 1 0:20 / /run rw - tmpfs tmpfs rw,size=100k");
        mount("3 1 0:21 / /old rw - ramfs none rw");
        assertThat(refusal("/run/spill")).contains("is in memory (tmpfs on /run)");
        assertThat(refusal("/old/a/spill")).contains("is in memory (ramfs on /old)");
        assertThat(refusal("/running/spill")).isNull();
        device("zram0", "252:0");
        mount("4 1 252:0 / /z rw - ext4 /dev/zram0 rw");
        assertThat(refusal("/z/spill")).contains("/dev/zram0, which keeps its blocks in memory");
    }

    @Test
    void anotherMachinesDiskIsNot() throws IOException {
        mount("2 1 0:30 / /home rw - nfs4 server:/home rw");
        mount("3 1 0:31 / /ssh rw - fuse.sshfs a@b: rw");
        assertThat(refusal("/home/me/spill")).contains("is not on a disk of this machine (nfs4 on /home)");
        assertThat(refusal("/ssh/spill")).contains("fuse.sshfs");
    }

    @Test
    void theVeryDeviceIsNot() throws IOException {
        nbd("nbd0", "43:0", OURS);
        mount("2 1 43:0 / /mnt rw - xfs /dev/nbd0 rw");
        assertThat(refusal("/mnt/spill")).contains("is on /dev/nbd0, the very device that this server feeds");
    }

    @Test
    void aDeviceThatDoesNotSayWhoseItIsIsNot() throws IOException {
        nbd("nbd0", "43:0", "");
        mount("2 1 43:0 / /mnt rw - xfs /dev/nbd0 rw");
        assertThat(refusal("/mnt/spill")).contains("/dev/nbd0");
    }

    @Test
    void aDeviceOfAnotherExportIsFine() throws IOException {
        nbd("nbd0", "43:0", OTHERS);
        mount("2 1 43:0 / /mnt rw - xfs /dev/nbd0 rw");
        assertThat(refusal("/mnt/spill")).isNull();
    }

    @Test
    void theVeryDeviceIsFoundBelowPartitionsAndMappersAndLoops() throws IOException {
        nbd("nbd0", "43:0", OURS);
        partition("nbd0", "nbd0p2", "43:2");
        mount("2 1 43:2 / /part rw - ext4 /dev/nbd0p2 rw");
        assertThat(refusal("/part/spill")).contains("/dev/nbd0,");

        device("dm-1", "253:1");
        slave("dm-1", "nbd0/nbd0p2");
        device("dm-2", "253:2");
        slave("dm-2", "sda/sda1");
        slave("dm-2", "dm-1");
        mount("3 1 253:2 / /crypt rw - ext4 /dev/mapper/vg-lv rw");
        assertThat(refusal("/crypt/spill")).contains("/dev/nbd0,");

        device("loop3", "7:3");
        write("devices/loop3/loop/backing_file", "/part/disk.img\n");
        mount("4 1 7:3 / /loop rw - ext4 /dev/loop3 rw");
        assertThat(refusal("/loop/spill")).contains("/dev/nbd0,");
        write("devices/loop3/loop/backing_file", "/var/disk.img\n");
        assertThat(refusal("/loop/spill")).isNull();
    }

    /** Its mounts have numbers of their own, and it is on several devices. */
    @Test
    void theVeryDeviceIsFoundAmongThoseOfABtrfs() throws IOException {
        nbd("nbd0", "43:0", OURS);
        device("sdb", "8:16");
        Path devices = Files.createDirectories(root.resolve("sys/fs/btrfs/1-2-3/devices"));
        Files.createSymbolicLink(devices.resolve("sdb"), root.resolve("devices/sdb"));
        Files.createSymbolicLink(devices.resolve("nbd0"), root.resolve("devices/nbd0"));
        mount("2 1 0:45 /@home /data rw - btrfs /dev/sdb rw,subvol=/@home");
        assertThat(refusal("/data/spill")).contains("/dev/nbd0,");
    }

    @Test
    void anOverlayIsWhereItsUpperFolderIs() throws IOException {
        nbd("nbd0", "43:0", OURS);
        mount("2 1 43:0 / /mnt rw - xfs /dev/nbd0 rw");
        mount("3 1 0:50 / /merged rw - overlay overlay rw,lowerdir=/var/l,upperdir=/mnt/u,workdir=/mnt/w");
        assertThat(refusal("/merged/spill")).contains("/dev/nbd0,");
        mount("4 1 0:51 / /own rw - overlay overlay rw,lowerdir=/var/l,upperdir=/own/u,workdir=/own/w");
        assertThat(refusal("/own/spill")).isNull();
    }

    @Test
    void namesWithBlanksAndMountsOverMountsAreUnderstood() throws IOException {
        mount("2 1 0:20 / /my\\040disk rw - tmpfs tmpfs rw");
        assertThat(refusal("/my disk/spill")).contains("tmpfs on /my disk");
        mount("3 2 8:1 / /my\\040disk rw - ext4 /dev/sda1 rw");
        assertThat(refusal("/my disk/spill")).isNull();
    }

    @Test
    void devicesThatAreMadeOfEachOtherEnd() throws IOException {
        device("dm-1", "253:1");
        device("dm-2", "253:2");
        slave("dm-1", "dm-2");
        slave("dm-2", "dm-1");
        mount("2 1 253:1 / /odd rw - ext4 /dev/dm-1 rw");
        assertThat(refusal("/odd/spill")).isNull();
    }

    private @Nullable String refusal(String file) throws IOException {
        return SpillPlace.refusal(Path.of(file), root, "swap a");
    }

    private void mount(String line) throws IOException {
        Path table = root.resolve("proc/self/mountinfo");
        write("proc/self/mountinfo", (Files.exists(table) ? Files.readString(table) : "") + line + "\n");
    }

    private void device(String name, String number) throws IOException {
        Path device = Files.createDirectories(root.resolve("devices").resolve(name));
        link("sys/dev/block/" + number, device);
        link("sys/class/block/" + device.getFileName(), device);
    }

    private void partition(String whole, String name, String number) throws IOException {
        device(whole + "/" + name, number);
        write("devices/" + whole + "/" + name + "/partition", "1\n");
    }

    private void nbd(String name, String number, String backend) throws IOException {
        device(name, number);
        write("devices/" + name + "/backend", backend + "\n");
    }

    private void slave(String device, String below) throws IOException {
        Path target = root.resolve("devices").resolve(below);
        link("devices/" + device + "/slaves/" + target.getFileName(), target);
    }

    private void link(String path, Path target) throws IOException {
        Path link = root.resolve(path);
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, target);
    }

    private void write(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
