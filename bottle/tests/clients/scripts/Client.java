import java.net.*;
import java.net.http.*;

/** Client LIBRARY URL...: asks each URL by this class of the JDK and prints status and body, whatever the status. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        for (int i = 1; i < arguments.length; i++) {
            System.out.println(arguments[0].equals("HttpClient") ? client(arguments[i]) : connection(arguments[i]));
        }
    }

    static String client(String url) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        return answer.version() + " " + answer.statusCode() + " " + answer.body();
    }

    static String connection(String url) throws Exception {
        var connection = (HttpURLConnection) new URL(url).openConnection();
        int status = connection.getResponseCode();
        var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        return status + " " + new String(stream.readAllBytes());
    }
}
