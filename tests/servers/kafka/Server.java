import java.io.IOException;

/** A Kafka broker that is its own controller: java -cp lib:classes Server CONFIGURATION CLUSTER_ID. */
public class Server {
  public static void main(String[] words) {
    String[] format = {"format", "--ignore-formatted", "-t", words[1], "-c", words[0]};
    if (kafka.tools.StorageTool.execute(format, System.out) != 0) {
      System.exit(1);
    }
    var watch = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { } // ends with whoever started it, even if that was killed
      } catch (IOException fault) {
        fault.printStackTrace();
      }
      System.exit(0);
    });
    watch.setDaemon(true);
    watch.start();
    kafka.Kafka.main(new String[] {words[0]});
  }
}
