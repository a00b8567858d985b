import java.nio.file.Path;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/** Neo4j Community with Bolt and authentication: java -cp lib:classes Server DIRECTORY CONFIGURATION. */
public class Server {
  public static void main(String[] words) {
    try {
      var server = new DatabaseManagementServiceBuilder(Path.of(words[0]))
          .loadPropertiesFromFile(Path.of(words[1])).build();
      Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
      System.out.println("started");
      while (System.in.read() >= 0) { } // ends with whoever started it, even if that was killed
      System.exit(0);
    } catch (Throwable fault) {
      fault.printStackTrace();
      System.exit(1); // threads of a half started server would keep it alive
    }
  }
}
