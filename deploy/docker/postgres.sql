-- A database for each service; none looks into another's. Their tables come by themselves.
CREATE DATABASE "order";
CREATE DATABASE payment;
CREATE DATABASE gateway;
CREATE DATABASE inventory;
CREATE DATABASE email;
CREATE DATABASE loyalty;
CREATE DATABASE notification;
