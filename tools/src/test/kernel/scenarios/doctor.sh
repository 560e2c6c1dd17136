# What a machine lacks is said: by doctor before anything is attached, and by attach when it is told not to set it, or is
# started in a way that leaves something out.
. "$here/leap.sh"

start_donors 64M
expect 'a server starts beside them' host_server 64M || give_up 'no server'
guest_start doctor "export $in_guest; exec $guest_program doctor"
expect 'doctor runs' await doctor 'vm\.watermark_boost_factor' 400
guest_wait doctor 400
expect 'doctor says that a boosted watermark has to go' says doctor 'vm\.watermark_boost_factor.*15000.*'
expect 'doctor says that more memory has to be kept free' says doctor 'vm\.min_free_kbytes'
expect 'doctor names the commands' says doctor 'sysctl -w vm\.watermark_boost_factor=0'
expect 'doctor finds the nbd driver' says doctor 'nbd driver.*loaded'

echo '-- attach that may not change the settings'
before=$(guest_settings)
expect 'attach --no-host-settings' attach --no-host-settings "nbd://$HOST_IP:10809" || give_up 'not attached'
expect 'it says which setting is missing' says attach 'vm\.watermark_boost_factor'
expect 'it has changed none' settings_are "$before"
expect 'detach' detach

echo '-- attach that did not come through the launcher'
guest_start attach "export $in_guest; umount /sys/fs/cgroup
  classes=\$(ls /mnt/host$home/tools/target/builds/current/lib/*.jar | tr '\n' ':')
  exec \$JAVA_HOME/bin/java -Xmx16m --enable-native-access=ALL-UNNAMED -cp \$classes io.leapnbd.tools.LeapNbd \
    attach nbd://$HOST_IP:10809"
expect 'attach' await attach ^ready 400 || give_up 'not attached'
expect 'it says that the IO flusher is missing, and what to do' says attach 'not protected: IO flusher.*launcher'
expect 'it says that the cgroup is missing' says attach 'not protected: cgroup'
expect 'detach' detach
expect 'the settings are as before' settings_are "$before"
done_with
